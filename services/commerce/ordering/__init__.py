"""Ordering owns orders: what a customer asked for, and whether it comes to anything.

Words: an **order** has **lines**, each some pieces of one SKU at a price; it is **placed**, and then **confirmed** or
**cancelled**. The **checkout** is the process between placing and either end: it waits for **stock** and **payment**.
"""
