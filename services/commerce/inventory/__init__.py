"""Inventory owns stock: how many pieces of a SKU lie in a warehouse, and for which orders they are set aside.

Words: a **stock item** is one SKU in one warehouse; pieces are **on hand**, some of them **reserved**, the others
**available**. An **allocation** reserves all lines of one order, or none: it is **allocated**, **refused** or
**released**.
"""
