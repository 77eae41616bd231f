"""`python -m treaty.cli`."""

from treaty.cli.app import app

app()
