"""The demo: orders from a CSV file through the contexts, and what became of them."""
