"""The demo: it sends orders from a CSV file through the contexts, and reports the outcome of each."""
