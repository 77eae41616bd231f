"""`treaty new`: writes a small, complete and tested context to start from."""

from treaty.cli.new.command import new

__all__ = ["new"]
