"""The use cases of Inventory: stock, and allocations of it."""
