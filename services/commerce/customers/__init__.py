"""Customers owns the registered customers and their tiers.

Terms:

- A **customer** is **registered** and has a **tier** (standard, gold or VIP). A customer may be **forgotten**: then
  name and e-mail address are erased.
- A **purchase** is a completed order. A **return** is money that was given back for an order.
- The purchases of the last year **earn** a tier. A customer is **promoted** at once, but **downgraded** only by a
  **review**, which comes a year after the last change.
- Staff may promote and downgrade customers by hand.
"""
