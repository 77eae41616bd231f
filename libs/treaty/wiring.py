"""Errors in the construction of a context: found when it starts, each with a sentence and the line to add."""

import re


class WiringError(Exception):
    """A context is built wrongly. The message is a sentence with the line to add or to change."""


def stored_name(kind: type) -> str:
    """Returns the default stored name of a type: order-placed for OrderPlaced."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind.__name__).lower()


def shape_of(kind: type) -> str:
    """Returns the line of storage.py that defines the stored name of a type."""
    return f'Shape("{stored_name(kind)}", {kind.__name__})'
