"""The aggregates of Inventory: stock items, allocations and warehouses."""
