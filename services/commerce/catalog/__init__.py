"""Catalog owns what can be bought: how a product is described, what it costs, and what customers say of it.

Words: a **product** is known by its **SKU**; it has **details**, a **list price**, and perhaps a **promotion**, a lower
price for some time. A product that is **discontinued** cannot be bought any more. It stands in a **category**, which
may be a part of another. A **review** is a customer's word on a product: it is **pending** until it is **published** or
**rejected**.
"""
