"""`treaty duplicates`: shows the streams on which causes took effect more than once, and accepts them."""

import getpass
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from treaty.cli.context import Opened, chosen, fail, in_context
from treaty.cli.tables import Json, as_json, table
from treaty.commits.duplicates import accept
from treaty.commits.duplicates import duplicates as all_duplicates


class Action(StrEnum):
    ACCEPT = "accept"


def duplicates(
    context: Annotated[str, typer.Argument(help="one context; by default all of them")] = "",
    action: Annotated[Action | None, typer.Argument(help="accept STREAM, so that it takes commands again")] = None,
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="the stream that the list shows")] = "",
    reason: Annotated[str, typer.Option("--reason", help="the reason; it is kept for good")] = "",
    by: Annotated[str, typer.Option("--by", help="the person who decides; by default you")] = "",
    accepted: Annotated[bool, typer.Option("--all", help="list the accepted ones too")] = False,
    json_: Json = False,
) -> None:
    """List the streams on which a cause took effect more than once; they take no commands until a person accepts."""
    if action is None:
        rows = [row for name in chosen(context) for row in in_context(name, lambda o: found(o, accepted))]
        typer.echo(as_json(rows)) if json_ else table(rows, "every cause took effect once")
        return
    if not stream:
        fail("name the stream to accept; `treaty duplicates` lists them")
    if not reason.strip():
        fail("--reason must not be empty")
    in_context(context, lambda o: accept(o.stores.log, stream, by=by or getpass.getuser(), reason=reason))
    typer.echo(f"{stream} takes commands again within seconds")


async def found(opened: Opened, accepted: bool) -> Sequence[Mapping[str, Any]]:
    """Returns one row for each stream with duplicates."""
    return [
        {
            "context": opened.service.name,
            "stream": one.stream,
            "causes": list(one.causes),
            "since": one.since,
            "accepted by": one.by,
            "reason": one.reason,
        }
        for one in await all_duplicates(opened.stores.log)
        if accepted or not one.accepted
    ]
