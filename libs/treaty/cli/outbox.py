"""`treaty outbox`: shows the integration events that are committed but not yet confirmed by the broker."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from treaty.cli.context import Opened, chosen, in_context
from treaty.cli.tables import Json, age, as_json, table
from treaty.commits.log import Place

_FIRST, _PARKED = 10, 1000


def outbox(
    context: Annotated[str, typer.Argument(help="one context; by default all of them")] = "", json_: Json = False
) -> None:
    """Show the events that wait in the outbox: their number, age, the first ones, and the ones the broker refused."""
    found = {name: in_context(name, waiting) for name in chosen(context)}
    if json_:
        typer.echo(as_json(found))
        return
    rows = [
        {
            "context": name,
            "events": box["events"],
            "oldest": age(box["oldest_seconds"]),
            "parked": f"{len(box['parked'])}{' or more' if box['more_parked'] else ''}",
        }
        for name, box in found.items()
    ]
    table(rows, "there is no context")
    for name, box in found.items():
        _print(name, "first", [{**event, "age": age(event["age"])} for event in box["first"]])
        _print(name, "parked", box["parked"])


async def waiting(opened: Opened) -> Mapping[str, Any]:
    """Returns {events, oldest_seconds, first, parked, more_parked} of one context's outbox.

    `first` and `parked` are lists of events; `parked` holds the events that the broker did not accept, or the first
    thousand of them.
    """
    log, now = opened.stores.log, await opened.stores.pending.now()
    place = (await opened.stores.checkpoints.load()).get("relay", Place())
    first: list[dict[str, Any]] = [
        {"type": outgoing.type, "stream": commit.stream, "age": (now - outgoing.time).total_seconds()}
        for commit in await log.peek(place, _FIRST, publishing=True)
        for outgoing in commit.outbox
    ]
    items = await opened.stores.pending.find(_PARKED + 1, kind="publish")
    parked = [
        {"id": i.id, "type": i.body["headers"]["ce-type"], "due": i.due, "attempts": i.attempts, "error": i.error}
        for i in items[:_PARKED]
    ]
    ages = [*(event["age"] for event in first), *((now - i.since).total_seconds() for i in items if i.since)]
    oldest = max(ages, default=None)
    return {
        "events": (await log.behind(place)).events,
        "oldest_seconds": oldest,
        "first": first[:_FIRST],
        "parked": parked,
        "more_parked": len(items) > _PARKED,
    }


def _print(context: str, what: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        typer.echo(f"\n{context}: {what}")
        table(rows, "")
