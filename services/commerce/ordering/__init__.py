"""Ordering owns orders: what a customer asked for, and whether it comes to anything.

Words: an **order** has **lines**, each some pieces of one SKU at a price; it may begin as a **draft**, is **placed**,
and then **confirmed**, **dispatched** and **completed**, or **cancelled**. The **checkout** is the process between
placing and confirming: it waits for **stock** and **payment**. By a **return** delivered goods come back. An **offer**
is what Ordering knows of a product: its name, what it costs, how many pieces there are. A **buyer** is what it knows of
a customer: the tier.
"""
