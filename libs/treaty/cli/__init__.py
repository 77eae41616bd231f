"""The `treaty` command: run contexts, list them, look after the quarantine."""

from treaty.cli.app import app

__all__ = ["app"]
