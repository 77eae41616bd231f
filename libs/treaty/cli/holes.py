"""`treaty holes`: shows the documents that cannot be read and the streams that they hold back, and closes them."""

import getpass
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from treaty.cli.context import Opened, chosen, fail, in_context
from treaty.cli.tables import Json, as_json, table
from treaty.commits.holes import Hole, mend, skip
from treaty.commits.holes import holes as all_holes


class Action(StrEnum):
    MEND = "mend"
    SKIP = "skip"


def holes(
    context: Annotated[str, typer.Argument(help="one context; by default all of them")] = "",
    action: Annotated[
        Action | None, typer.Argument(help="mend STREAM after its document was repaired; skip ID to leave it out")
    ] = None,
    target: Annotated[str, typer.Argument(metavar="STREAM|ID", help="the stream or the id that the list shows")] = "",
    reason: Annotated[str, typer.Option("--reason", help="the reason; it is kept for good")] = "",
    by: Annotated[str, typer.Option("--by", help="the person who decides; by default you")] = "",
    closed: Annotated[bool, typer.Option("--all", help="list the closed ones too")] = False,
    json_: Json = False,
) -> None:
    """List the documents that cannot be read and the streams that they hold back; mend or skip one of them."""
    if action is None:
        _print([row for name in chosen(context) for row in in_context(name, lambda o: found(o, closed))], json_)
        return
    if not target:
        fail(f"name the {'stream to mend' if action is Action.MEND else 'id to skip'}; `treaty holes` lists them")
    if action is Action.SKIP and not reason.strip():
        fail("--reason must not be empty")
    hole = in_context(context, lambda opened: _close(opened, action, target, reason, by or getpass.getuser()))
    rest = f": the followers go on with {hole.stream}" if hole.stream else ""
    typer.echo(f"{hole.id} is {hole.state}{rest}")


async def found(opened: Opened, closed: bool) -> Sequence[Mapping[str, Any]]:
    """Returns one row for each open hole, or for each hole."""
    return [_row(opened, hole) for hole in await all_holes(opened.stores.log) if closed or hole.is_open]


async def _close(opened: Opened, action: Action, target: str, reason: str, by: str) -> Hole:
    if action is Action.MEND:
        return await mend(opened.stores.log, target, by=by, reason=reason or "repaired by hand")
    return await skip(opened.stores.log, target, by=by, reason=reason)


def _row(opened: Opened, hole: Hole) -> Mapping[str, Any]:
    return {
        "context": opened.service.name,
        "stream": hole.stream or "none",
        "id": hole.id,
        "error": hole.error,
        "since": hole.since,
        "state": hole.state,
        "by": hole.by,
        "reason": hole.reason,
    }


def _print(rows: Sequence[Mapping[str, Any]], json_: bool) -> None:
    if json_:
        typer.echo(as_json(rows))
    else:
        table(rows, "every document can be read")
