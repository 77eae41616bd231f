"""The output of the commands: tables for people, JSON for machines, and ages in words."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

Json = Annotated[bool, typer.Option("--json", help="print JSON for a machine")]

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def as_json(value: Any) -> str:
    """Returns JSON. A value without a JSON form is written as text, and bytes in hexadecimal."""
    return json.dumps(value, default=lambda other: other.hex() if isinstance(other, bytes) else str(other))


def table(rows: Sequence[Mapping[str, Any]], nothing: str) -> None:
    """Prints rows that have the same columns, or the sentence `nothing` if there are none. No cell is cut off."""
    if not rows:
        typer.echo(nothing)
        return
    shown = Table(*rows[0], box=None, pad_edge=False)
    for column in shown.columns:
        column.overflow = "fold"
    for row in rows:
        shown.add_row(*(text(value) for value in row.values()))
    Console(soft_wrap=False).print(shown, markup=False)


def text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return "" if value is None else value if isinstance(value, str) else as_json(value)


def age(seconds: float | None) -> str:
    """Returns a time span as people write it: 3 s, 12 min, 5 h or 2 d; an empty text for None."""
    if seconds is None:
        return ""
    return next((f"{seconds // size:.0f} {unit}" for size, unit in _UNITS if seconds >= size), f"{seconds:.0f} s")
