"""Tools for tests of services and adapters: scenarios, contract suites, and a world in memory."""

from treaty.testing.eventually import eventually, while_moving

__all__ = ["eventually", "while_moving"]
