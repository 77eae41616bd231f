"""The commerce domain: the contexts that sell goods. They share the kernel `money`, and `wire` for its messages."""
