"""`treaty audit`: finds events that consumers never received, and delivers them again if it is told to."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from treaty.chance import RandomIds
from treaty.cli.context import Opened, chosen, fail, opened
from treaty.cli.tables import Json, as_json, table
from treaty.commits.log import StoreAway, Unreadable
from treaty.concurrency.tasks import until_one_ends
from treaty.messaging.broker import BrokerAway, NotAccepted, Unroutable
from treaty.messaging.subscriptions import by_producer
from treaty.operations.deliveries import DeliveryAudit, Findings
from treaty.operations.redelivery import Redelivery
from treaty.probes import Probe
from treaty.rabbit.broker import RabbitBroker
from treaty.service.contexts import UnknownContext
from treaty.settings import ProcessSettings, SettingsError, read_again, read_settings
from treaty.telemetry.logs import configure_logging
from treaty.telemetry.setup import start_telemetry
from treaty.wiring import WiringError

logger = structlog.get_logger()

_AWAY = (StoreAway, BrokerAway, NotAccepted, Unroutable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options of the command."""

    every: float
    grace: float
    patience: float
    mend: bool
    alive: Path | None


def audit(
    context: Annotated[str, typer.Argument(help="the consuming context; by default all of them")] = "",
    follow: Annotated[bool, typer.Option("--follow", help="go on until SIGTERM, and set the metrics")] = False,
    mend: Annotated[bool, typer.Option("--mend", help="deliver what is missing again")] = False,
    grace: Annotated[float, typer.Option(min=0, help="seconds until an event counts as late")] = 300.0,
    every: Annotated[float, typer.Option(min=1, help="seconds between two rounds, with --follow")] = 30.0,
    patience: Annotated[float, typer.Option(min=1, help="seconds to wait for the readers of the queues")] = 30.0,
    alive: Annotated[Path | None, typer.Option(help="a file to touch after each round, for a liveness probe")] = None,
    json_: Json = False,
) -> None:
    """Compare the events that contexts committed with those that their consumers received, from the last audit on.

    Ends with code 1 if an event is missing, or if it is unknown because nobody reads a queue.
    """
    wanted = Wanted(every=every, grace=grace, patience=patience, mend=mend, alive=alive)
    try:
        if follow:
            _follow(context, wanted)
            return
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
        found = asyncio.run(_once(context, wanted))
    except (SettingsError, UnknownContext, WiringError, Unreadable, *_AWAY) as error:
        fail(str(error))
    typer.echo(as_json(found)) if json_ else _print(found)
    if any(one["missing"] or one["unread"] for one in found.values()):
        raise typer.Exit(1)


async def _once(context: str, wanted: Wanted) -> Mapping[str, Mapping[str, Any]]:
    """Runs one round for each consumer; returns {consumer: its findings}."""
    async with _audits(context, wanted, None) as audits:
        return {one.service.name: _row(*await _round(one, redelivery, wanted)) for one, redelivery in audits}


def _follow(context: str, wanted: Wanted) -> None:
    settings = read_settings(ProcessSettings, os.environ)
    configure_logging(level=settings.log_level, format=settings.log_format)
    with start_telemetry("treaty.audit", os.environ) as telemetry:
        asyncio.run(_until_signal(context, wanted, telemetry.probe))


async def _until_signal(context: str, wanted: Wanted, probe: Probe) -> None:
    """Goes on until SIGTERM, or until the rounds of a consumer end: its gauges would be those of the last round.

    Raises:
        Exception: that of the rounds which have ended.
        Broken: if they were cancelled from within.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with _audits(context, wanted, probe) as audits:
        rounds = [asyncio.create_task(_rounds(one, redelivery, wanted)) for one, redelivery in audits]
        await until_one_ends(asyncio.create_task(_set(stop)), *rounds)


async def _set(stop: asyncio.Event) -> None:
    await stop.wait()


async def _rounds(audit: DeliveryAudit, redelivery: Redelivery, wanted: Wanted) -> None:
    while True:
        try:
            await _round(audit, redelivery, wanted)
        except _AWAY as away:
            logger.warning("the audit cannot look now", consumer=audit.service.name, why=str(away))
        except Exception:
            logger.exception("a round of the audit failed", consumer=audit.service.name)
        if wanted.alive is not None:
            wanted.alive.touch()
        await asyncio.sleep(wanted.every)


async def _round(audit: DeliveryAudit, redelivery: Redelivery, wanted: Wanted) -> tuple[Findings, int]:
    """Runs one round; returns what it found, and the number of events that were delivered again."""
    found = await audit.round()
    return found, await redelivery.deliver(found.missing) if wanted.mend else 0


@asynccontextmanager
async def _audits(
    context: str, wanted: Wanted, probe: Probe | None
) -> AsyncIterator[Sequence[tuple[DeliveryAudit, Redelivery]]]:
    """Opens the stores and the broker for the audits of one consumer, or of all."""
    settings = read_settings(ProcessSettings, os.environ)
    settings.require("AMQP_URL")
    broker = RabbitBroker(read_again("AMQP_URL", os.environ, settings.amqp_url), name="audit", ids=RandomIds())
    contexts: dict[str, Opened] = {}
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(broker.close)

        async def open_once(name: str) -> Opened:
            if name not in contexts:
                contexts[name] = await stack.enter_async_context(opened(name))
            return contexts[name]

        found = []
        for name in chosen(context):
            consumer = await open_once(name)
            surroundings = consumer.ports.surroundings
            parts: dict[str, Any] = {
                "service": consumer.service,
                "stores": consumer.stores,
                "producers": {p: (await open_once(p)).stores for p in by_producer(consumer.service.subscriptions)},
                "broker": broker,
                "partitions": consumer.partitions,
                "surroundings": replace(surroundings, probe=probe) if probe else surroundings,
            }
            if parts["producers"]:
                audit = DeliveryAudit(**parts, grace=wanted.grace, patience=wanted.patience)
                found.append((audit, Redelivery(**parts, environment=settings.environment)))
        yield found


def _row(found: Findings, delivered: int) -> Mapping[str, Any]:
    return {
        "missing": [
            {"producer": event.producer, "stream": event.stream, "event": event.envelope.id, "at": event.committed}
            for event in found.missing
        ],
        "waiting": found.waiting,
        "unread": [f"p{partition}" for partition in found.unread],
        "delivered": delivered,
    }


def _print(found: Mapping[str, Mapping[str, Any]]) -> None:
    table(
        [{"consumer": name, **event} for name, one in found.items() for event in one["missing"]],
        "no event is missing",
    )
    for name, one in found.items():
        if one["waiting"]:
            typer.echo(f"{name}: {one['waiting']} late events wait to be published or read")
        if one["unread"]:
            typer.echo(f"{name}: nobody reads {', '.join(one['unread'])}, so events may be missing there")
        if one["delivered"]:
            typer.echo(f"{name}: {one['delivered']} events were delivered again")
