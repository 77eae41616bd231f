"""Customers knows who buys, and how well each is to be treated.

Words: a **customer** is **registered**, has a **tier** (standard, gold or VIP), and may be **forgotten**: then name and
e-mail address are erased. A **purchase** is an order that was completed; money that was given back for it is a
**return**. What a customer bought in the last year **earns** a tier: they are **promoted** at once, and **downgraded**
only by a **review**, which comes a year after the last change. Staff may promote and downgrade by hand.
"""
