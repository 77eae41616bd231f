"""The systems outside the company that Shipping works with."""
