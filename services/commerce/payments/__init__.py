"""Payments owns the money of orders: held when an order is placed, taken when it is confirmed, given back otherwise.

Words: a **payment** pays one order. The **gateway** is a company outside; it **authorises** (holds the money) or
declines. What is held is **captured** (ours) or **voided** (given up); what was captured can be **refunded**.
"""
