"""Entry point of `python -m treaty.cli`."""

from treaty.cli.app import app

app()
