"""Ordering's processes: the checkout, which listens, and returns, which give orders."""
