"""Mistakes in how a context is put together: found when it starts, each told in one sentence with the line to add."""

import re


class WiringError(Exception):
    """A context is put together wrongly. The message is a sentence that names the line to add or to change."""


def stored_name(kind: type) -> str:
    """Returns the usual stored name of a type: order-placed for OrderPlaced."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind.__name__).lower()


def shape_of(kind: type) -> str:
    """Returns the line of storage.py that gives a type its stored name."""
    return f'Shape("{stored_name(kind)}", {kind.__name__})'
