"""The systems outside the company that Notifications sends messages to, and a simulator of two of them."""
