"""Inventory owns the stock: the number of pieces of each SKU in each warehouse, and the orders they are reserved for.

Terms:

- A **stock item** is one SKU in one **warehouse**. Its pieces are **on hand**. Some of them are **reserved**, the
  others are **available**.
- Pieces that expire are kept in **batches** by their last day.
- An **allocation** reserves all lines of one order, or none. It is **allocated** until it **expires**, **secured** once
  the order is confirmed, and **fulfilled** when its pieces have left. Otherwise it is **refused** or **released**.
- A **reorder** is needed when too few pieces are available.
"""
