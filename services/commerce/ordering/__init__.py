"""Ordering owns the orders, from the draft to the delivery, the cancellation or the return.

Terms:

- An **order** has **lines**. A line is a number of pieces of one SKU at a price.
- An order may begin as a **draft**. It is **placed**, then **confirmed**, **dispatched** and **completed**. Otherwise
  it is **cancelled**.
- The **checkout** is the process between placing and confirming an order. It waits for **stock** and **payment**.
- In a **return**, delivered goods come back.
- An **offer** is Ordering's copy of a product: its name, its price and the number of available pieces.
- A **buyer** is Ordering's copy of a customer: the tier.
"""
