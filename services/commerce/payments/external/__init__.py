"""The systems outside the company that Payments works with."""
