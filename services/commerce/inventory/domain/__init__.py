"""Stock items, allocations and warehouses."""
