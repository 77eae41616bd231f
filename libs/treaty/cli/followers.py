"""`treaty followers`: shows how far each follower is behind the log, and which process holds each lease."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from treaty.cli.context import Opened, chosen, in_context
from treaty.cli.tables import Json, age, as_json, table
from treaty.commits.log import Place
from treaty.projections.projector import follower_of


def followers(
    context: Annotated[str, typer.Argument(help="one context; by default all of them")] = "", json_: Json = False
) -> None:
    """Show the followers of contexts: their position, the number of commits ahead of it, and the lease holders."""
    found = {name: in_context(name, followed) for name in chosen(context)}
    if json_:
        typer.echo(as_json(found))
        return
    for name, one in found.items():
        typer.echo(f"\n{name}")
        shown = [
            {
                **{k: row[k] for k in ("follower", "place", "behind")},
                "oldest unseen": age(row["oldest_seconds"]),
                "halted by": row["halted"] or "-",
            }
            for row in one["followers"]
        ]
        table(shown, "no follower")
        table(one["leases"], "no lease")


async def followed(opened: Opened) -> Mapping[str, Any]:
    """Returns {followers, leases} of a context.

    A follower is {follower, place, behind, oldest_seconds, halted}, a lease is {lease, owner, epoch, until}.
    """
    places = await opened.stores.checkpoints.load()
    views = [follower_of(p, await opened.stores.rows(p).generation()) for p in opened.service.read_models]
    halted = await opened.stores.checkpoints.halted()
    names = ("relay", "calls", *views)
    rows = [{**await _row(opened, name, places.get(name)), "halted": halted.get(name, "")} for name in names]
    return {"followers": rows, "leases": await _leases(opened)}


async def _row(opened: Opened, name: str, place: Place | None) -> Mapping[str, Any]:
    behind = await opened.stores.log.behind(place or Place())
    first = await opened.stores.log.peek(place or Place(), 1)
    now = await opened.stores.pending.now()
    return {
        "follower": name,
        "place": "not started" if place is None else f"{place.position[0]}.{place.position[1]}",
        "behind": behind.commits,
        "oldest_seconds": max((now - first[0].stored_at).total_seconds(), 0.0) if first else None,
    }


async def _leases(opened: Opened) -> Sequence[Mapping[str, Any]]:
    """Returns every expected lease, and every other lease with a holder, such as the lease of a rebuild."""
    held = await opened.stores.leases.holders()
    partitions = [f"p{n}" for n in range(opened.partitions if opened.service.subscriptions else 0)]
    expected = ["followers", *partitions]
    found = []
    for name in [*expected, *sorted(held.keys() - set(expected))]:
        holder = held.get(name)
        found.append(
            {
                "lease": name,
                "owner": holder.owner if holder else "nobody",
                "epoch": holder.epoch if holder else None,
                "until": holder.until if holder else None,
            }
        )
    return found
