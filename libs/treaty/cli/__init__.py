"""The `treaty` command: runs contexts, lists them, and manages the quarantine and other stored work."""

from treaty.cli.app import app

__all__ = ["app"]
