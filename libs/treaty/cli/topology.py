"""`treaty topology`: shows the inboxes at the broker, and moves those of an older layout to the current one."""

import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import structlog
import typer

from treaty.chance import RandomIds
from treaty.cli.context import Opened, chosen, fail, in_context
from treaty.cli.tables import Json, as_json, table
from treaty.messaging.broker import BrokerAway, NotAccepted, Unroutable
from treaty.operations.marks import Marks
from treaty.operations.renewal import DECLARING_SECONDS, Renewal
from treaty.rabbit.broker import RabbitBroker
from treaty.rabbit.renewal import RabbitOldInbox
from treaty.service.service import topology_of
from treaty.settings import ProcessSettings, read_settings

app = typer.Typer(help="The inboxes of contexts at the broker.", no_args_is_help=True)


@app.command()
def show(
    context: Annotated[str, typer.Argument(help="one context; by default all of them")] = "", json_: Json = False
) -> None:
    """List the inboxes, their layouts, and how many messages wait in them."""
    rows = [row for name in chosen(context) for row in in_context(name, shown)]
    typer.echo(as_json(rows)) if json_ else table(rows, "no context has an inbox")


@app.command()
def renew(
    context: Annotated[str, typer.Argument(help="the context that reads the inbox")],
    settle: Annotated[float, typer.Option(min=0, help="seconds for declarations under way")] = DECLARING_SECONDS,
) -> None:
    """Move the inbox of a running context to the current layout. All its processes must be of this version."""
    if in_context(context, lambda opened: renewed(opened, settle)):
        typer.echo(f"the inbox of {context} has the current layout; its processes go on with it within seconds")
    else:
        typer.echo(f"nothing to do: the inbox of {context} has the current layout, or there is none")


async def shown(opened: Opened) -> Sequence[Mapping[str, Any]]:
    """Returns one row, or none for a context that subscribes to nothing."""
    topology = topology_of(opened.service, opened.partitions)
    if not topology.subscribes:
        return []
    async with _broker() as (broker, _):
        try:
            layout = await broker.layout(topology)
            queued: int | str = await broker.queued(topology)
        except BrokerAway as away:
            layout, queued = "not known", f"{away}"
    return [{"context": topology.context, "layout": layout, "partitions": topology.partitions, "queued": queued}]


async def renewed(opened: Opened, settle: float) -> bool:
    """Returns whether the inbox was moved."""
    topology = topology_of(opened.service, opened.partitions)
    async with _broker() as (_, url):
        inbox = RabbitOldInbox(url, topology)
        marks = Marks(topology=topology, stores=opened.stores, broker=inbox, surroundings=opened.ports.surroundings)
        try:
            return await Renewal(inbox=inbox, marks=marks, stores=opened.stores, tell=typer.echo, settle=settle).run()
        except (BrokerAway, NotAccepted, Unroutable) as error:
            fail(f"the inbox is not moved yet, run this again: {error}")
        finally:
            await inbox.close()


@asynccontextmanager
async def _broker() -> AsyncIterator[tuple[RabbitBroker, str]]:
    """Opens the broker that the settings name; yields it and its URL."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    settings = read_settings(ProcessSettings, os.environ)
    settings.require("AMQP_URL")
    url = settings.amqp_url.get_secret_value()
    broker = RabbitBroker(url, name="topology", ids=RandomIds())
    try:
        yield broker, url
    finally:
        await broker.close()
