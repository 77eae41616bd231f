"""`treaty pending`: shows calls, timers and events that wait for another try, and the items behind them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from treaty.cli.context import Opened, chosen, in_context
from treaty.cli.tables import Json, age, as_json, table
from treaty.followers.pending import Item


def pending(
    context: Annotated[str, typer.Argument(help="one context; by default all of them")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="the most items of each context")] = 200,
    json_: Json = False,
) -> None:
    """Show pending work: its type, due time, failed attempts, last error, and the item that blocks it."""
    rows = [row for name in chosen(context) for row in in_context(name, lambda opened: waiting(opened, limit))]
    if json_:
        typer.echo(as_json(rows))
    else:
        table([{**row, "age": age(row["age"])} for row in rows], "nothing is pending")


async def waiting(opened: Opened, limit: int) -> Sequence[Mapping[str, Any]]:
    """Returns one row for each item, in the order of their ids."""
    first: dict[str, Item] = {}
    rows = []
    for item in await opened.stores.pending.find(limit):
        before = first.setdefault(item.lane, item)
        rows.append(_row(opened, item, before if before is not item else None))
    return rows


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
