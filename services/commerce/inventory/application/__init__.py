"""What Inventory can do: with stock, and with allocations of it."""
