"""`treaty replay`: delivers the history of one context again, to one consumer only, during live traffic."""

import getpass
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer

from treaty.chance import RandomIds
from treaty.cli.context import Opened, fail, in_context, moment, opened
from treaty.cli.tables import Json, as_json, table
from treaty.commits.log import CommitLog, StoreAway
from treaty.messaging.broker import Broker, BrokerAway, NotAccepted, Unroutable
from treaty.messaging.replays import Replay
from treaty.messaging.subscriptions import by_producer
from treaty.operations.replay import Replayer
from treaty.rabbit.broker import RabbitBroker
from treaty.service.contexts import find_contexts
from treaty.service.service import topology_of
from treaty.settings import ProcessSettings, read_settings

app = typer.Typer(help="Deliver the history of one context again to one consumer.", no_args_is_help=True)

Consumer = Annotated[str, typer.Argument(help="the context that receives the events, such as commerce.inventory")]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", help="only these types, such as OrderPlaced; by default all that it subscribes to"),
]
Streams = Annotated[list[str] | None, typer.Option("--stream", help="only these streams, such as order-6f96…")]
Moment = "such as 2026-07-01T12:00:00Z (UTC without a zone), by the clock of the producer's server"


@app.command()
def start(
    producer: Annotated[str, typer.Argument(help="the context that published the events, such as commerce.ordering")],
    to: Annotated[str, typer.Option("--to", help="the context to deliver to, such as commerce.inventory")],
    reason: Annotated[str, typer.Option("--reason", help="the reason; it is kept for good")] = "",
    types: Types = None,
    streams: Streams = None,
    since: Annotated[str, typer.Option(help=f"only events committed at this moment or later, {Moment}")] = "",
    until: Annotated[str, typer.Option(help=f"only events committed at this moment or before, {Moment}")] = "",
    by: Annotated[str, typer.Option("--by", help="the person who decides; by default you")] = "",
    timeout: Annotated[float, typer.Option(min=1, help="seconds to wait for the consumer or the broker")] = 60.0,
    json_: Json = False,
) -> None:
    """Deliver history again. Live events of the same keys wait meanwhile, so the order on each key holds."""
    if not reason.strip():
        fail("--reason must not be empty")
    if producer not in find_contexts():
        fail(f"there is no context {producer}; there are {', '.join(find_contexts())}")

    async def ask(consumer: Opened) -> dict[str, Any]:
        replay = planned(
            consumer,
            producer,
            types=types or (),
            streams=streams or (),
            since=since,
            until=until,
            reason=reason,
            by=by or getpass.getuser(),
        )
        async with opened(producer) as source, _broker() as (broker, environment):
            return await replayed(consumer, source.stores.log, broker, replay, environment=environment, seconds=timeout)

    found = in_context(to, ask)
    typer.echo(as_json(found) if json_ else _told(to, found))
    if found["left"] or found["unreadable"]:
        raise typer.Exit(1)


@app.command("list")
def list_(consumer: Consumer, limit: Annotated[int, typer.Option(min=1, max=1000)] = 50, json_: Json = False) -> None:
    """List the replays to a context, the latest first."""
    rows = in_context(consumer, lambda found: listed(found, limit))
    if json_:
        typer.echo(as_json(rows))
    else:
        table(rows, f"nothing was ever replayed to {consumer}")


@app.command()
def abandon(consumer: Consumer, id: Annotated[str, typer.Argument(help="the replay, as `list` shows it")]) -> None:
    """Give up a replay that is not over: the waiting live events go on, and the rest of the replay is skipped."""
    if not in_context(consumer, lambda found: found.stores.replays.abandon(id)):
        fail(f"{consumer} has no open replay {id}; `treaty replay list {consumer}` shows them")
    typer.echo(f"abandoned {id}; the owners of the partitions release the waiting events")


def planned(
    consumer: Opened,
    producer: str,
    *,
    types: Sequence[str],
    streams: Sequence[str],
    since: str,
    until: str,
    reason: str,
    by: str,
) -> Replay:
    """Returns the replay that a person asked for; ends the command if the consumer lacks the subscription."""
    wanted = by_producer(consumer.service.subscriptions).get(producer, ())
    if not wanted:
        fail(f"{consumer.service.name} subscribes to nothing of {producer}")
    chosen = [full for full in wanted if not types or full in types or full.rpartition(".")[2] in types]
    known = {*wanted, *(full.rpartition(".")[2] for full in wanted)}
    if set(types) - known:
        fail(f"{consumer.service.name} does not subscribe to {', '.join(sorted(set(types) - known))}")
    return Replay(
        id=consumer.ports.surroundings.ids.new(),
        producer=producer,
        types=chosen,
        streams=streams,
        partitions=consumer.partitions,
        since=moment(since) if since else None,
        until=moment(until) if until else None,
        reason=reason,
        by=by,
        at=consumer.ports.clock.now(),
    )


async def replayed(
    consumer: Opened, log: CommitLog, broker: Broker, replay: Replay, *, environment: str, seconds: float
) -> dict[str, Any]:
    """Runs a replay; returns {id, delivered, left, unreadable}.

    `left` lists the partitions that have not reached its end yet; `unreadable` the commits that cannot be read, from
    which on nothing of their streams was delivered.
    """
    replaying = Replayer(
        log,
        consumer.stores.replays,
        consumer.stores.leases,
        broker,
        topology_of(consumer.service, consumer.partitions),
        chance=consumer.ports.surroundings.chance,
        environment=environment,
        seconds=seconds,
    )
    try:
        delivered = await replaying.run(replay)
    except (BrokerAway, NotAccepted, Unroutable, StoreAway) as error:
        give_up = f"treaty replay abandon {consumer.service.name} {replay.id}"
        fail(f"the replay {replay.id} is not over: {error}; give it up with `{give_up}`, and start another")
    left = list(await replaying.left(replay.id))
    return {"id": replay.id, "delivered": delivered, "left": left, "unreadable": replaying.unreadable}


async def listed(consumer: Opened, limit: int) -> Sequence[Mapping[str, Any]]:
    """Returns a description of each replay, the latest first."""
    return [
        {
            "id": replay.id,
            "producer": replay.producer,
            "status": replay.status,
            "holding": len(replay.holding),
            "passed": f"{len(replay.passed)}/{replay.partitions}",
            "at": replay.at,
            "by": replay.by,
            "reason": replay.reason,
        }
        for replay in await consumer.stores.replays.find(limit)
    ]


@asynccontextmanager
async def _broker() -> AsyncIterator[tuple[RabbitBroker, str]]:
    """Opens the broker that the settings name; yields it and the environment's name for the envelopes."""
    settings = read_settings(ProcessSettings, os.environ)
    settings.require("AMQP_URL")
    broker = RabbitBroker(settings.amqp_url.get_secret_value(), name="replay", ids=RandomIds())
    try:
        yield broker, settings.environment
    finally:
        await broker.close()


def _told(consumer: str, found: Mapping[str, Any]) -> str:
    told = f"delivered {found['delivered']} events to {consumer} ({found['id']})"
    if found["unreadable"]:
        told += f", but none behind commits that cannot be read (`treaty holes`): {', '.join(found['unreadable'])}"
    if not found["left"]:
        return f"{told}; all of them are handled, or in quarantine"
    left = ", ".join(f"p{partition}" for partition in found["left"])
    return (
        f"{told}; {left} did not come to the end yet. It goes on by itself while the partitions have an owner: see "
        f"`treaty replay list {consumer}`. To give up: `treaty replay abandon {consumer} {found['id']}`"
    )
