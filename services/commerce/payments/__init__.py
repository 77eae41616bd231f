"""Payments owns the money of orders.

The money is held when an order is placed, taken when the order is confirmed, and otherwise given back.

Terms:

- A **payment** pays one order.
- The **gateway** is an external company. It **authorises** a payment, which means that it holds the money, or declines
  it.
- Held money is **captured** (taken) or **voided** (released). Captured money can be **refunded**.
"""
