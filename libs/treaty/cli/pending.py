"""`treaty pending`: shows calls, timers and events that wait for another try, and the items behind them."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Annotated, Any

import typer

from treaty.cli.context import Opened, chosen, in_context
from treaty.cli.tables import Json, age, as_json, text
from treaty.followers.pending import Item

_MOST = 10_000
"""The most items that are read of a context."""


def pending(
    context: Annotated[str, typer.Argument(help="one context; by default all of them")] = "",
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="the most items of each context")] = 200,
    due: Annotated[bool, typer.Option("--due", help="hide timers whose time has not come")] = False,
    json_: Json = False,
) -> None:
    """Show pending work: its type, due time, failed attempts, last error, and the item that blocks it."""
    found = {name: in_context(name, lambda opened: waiting(opened, limit + 1, due=due)) for name in chosen(context)}
    rows = [row for items in found.values() for row in items[:limit]]
    for name in [name for name, items in found.items() if len(items) > limit]:
        typer.echo(f"{name} has more than these {limit:,}; see --limit and --due", err=True)
    if json_:
        typer.echo(as_json(rows))
    else:
        typer.echo("\n".join(lines(rows)) if rows else "nothing is due" if due else "nothing is pending")


async def waiting(opened: Opened, limit: int, *, due: bool = False) -> Sequence[Mapping[str, Any]]:
    """Returns one row for each item, in the order of their ids; with `due`, without the timers that are not due."""
    first: dict[str, Item] = {}
    rows: list[Mapping[str, Any]] = []
    for item in await opened.stores.pending.find(limit, due=due):
        before = first.setdefault(item.lane, item)
        rows.append(_row(opened, item, before if before is not item else None))
    return rows


def lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yields the rows for a person, at most 80 columns wide: a line for each item, and its id and error below."""
    context = ""
    for row in rows:
        if row["context"] != context:
            yield from ([""] if context else [])
            context = row["context"]
            yield context
        yield f"  {row['what']:<8}{_short(row['type'], 26):<27}{text(row['due']):<26}{_tries(row)}".rstrip()
        if row["age"] is not None and row["what"] != "timer":
            yield f"    has waited for {age(row['age'])}"
        for name in ("id", "behind", "error"):
            told = f"{name}: {row[name]}" if name != "id" else row[name]
            if row[name]:
                yield from wrap(told, 80, initial_indent="    ", subsequent_indent="      ")


def _tries(row: Mapping[str, Any]) -> str:
    if not row["attempts"]:
        return ""
    return "1 attempt" if row["attempts"] == 1 else f"{row['attempts']} attempts"


def _short(type: str, most: int) -> str:
    """Returns the end of a long name, which says more than its beginning."""
    return type if len(type) <= most else f"…{type[1 - most :]}"


def _row(opened: Opened, item: Item, before: Item | None) -> Mapping[str, Any]:
    return {
        "context": opened.service.name,
        "id": item.id,
        "what": "timer" if item.is_timer else item.kind,
        "type": item.body["headers"]["ce-type"] if item.kind == "publish" else item.body["type"],
        "lane": "" if item.is_timer else item.lane,
        "behind": before.id if before else "",
        "due": item.due or "now",
        "attempts": item.attempts,
        "error": item.error,
        "age": (opened.ports.clock.now() - item.since).total_seconds() if item.since else None,
    }
