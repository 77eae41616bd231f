"""Inventory owns stock: how many pieces of a SKU lie in a warehouse, and for which orders they are set aside.

Words: a **stock item** is one SKU in one **warehouse**; pieces are **on hand**, some of them **reserved**, the others
**available**; those that go off are kept in **batches** by their last day. An **allocation** reserves all lines of one
order, or none: it is **allocated** until it **expires**, **secured** once the order is confirmed, **fulfilled** when
its pieces are gone, or **refused** or **released**. When too few are available, a **reorder** is called for.
"""
