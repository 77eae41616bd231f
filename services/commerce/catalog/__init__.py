"""Catalog owns the products that can be bought: their descriptions, prices and reviews.

Terms:

- A **product** is identified by its **SKU**. It has **details**, a **list price**, and optionally a **promotion**: a
  lower price for a limited time.
- A **discontinued** product can no longer be bought.
- A product may be in a **category**. A category may be a part of another category.
- A **review** is a customer's opinion on a product. It is **pending** until it is **published** or **rejected**.
"""
