"""The demo of the domain finance: a day of a bank."""
