"""The parts that the demos of the domains share: running contexts, calls to them, and the way of a demo."""
