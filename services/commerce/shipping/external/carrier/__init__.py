"""The carrier: its messages, our client of it, and a simulator of it."""
