"""The crash points: a real process ends at each of them, without any clean-up, and the next process continues."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from treaty.concurrency.tasks import ended
from treaty.process.crashes import EXIT_CODE, PLACES, VARIABLE
from treaty.testing import while_moving

from scripts.lib.prove.checker import Verdict
from scripts.lib.prove.fleet import Clients, Fleet, Service, fleet
from scripts.lib.prove.ground import ACCOUNTS, LEDGER
from scripts.lib.prove.outcome import Looking, looking
from scripts.lib.prove.servers import Servers

_IN_THE_LEDGER = ("consumer.", "quarantine.", "projection.")
_STILL = 60.0
"""Seconds without a new commit after which a process that did not end at its crash point is given up."""

_FAR_BEHIND = 1_000
"""Messages that wait for the ledger, above which the clients wait."""

_SETTINGS = {
    "TREATY_LEASE_SECONDS": "1",
    "PROVING_PATIENCE": "1",
    "PROVING_FAILS_EVERY": "5",
    "PROVING_FAILS_ATTEMPTS": "5",
}


@dataclass(slots=True)
class Crashed:
    """The outcome of the crash points.

    Attributes:
        places: `place:hit` of every process that ended at its crash point.
        missed: `place:hit` of every process that did not end there in time.
    """

    places: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)


async def crash_everywhere(servers: Servers, folder: Path, hits: Sequence[int]) -> Crashed:
    """Ends processes of both contexts, one after another, at every crash point, while clients keep sending commands."""
    found = Crashed()
    uri = servers.mongodb_uri.replace("/?", "/crashes?")
    async with (
        servers.virtual_host("crashes") as amqp,
        fleet(uri, amqp, folder, **_SETTINGS) as services,
        looking(uri, amqp) as look,
    ):
        await asyncio.gather(services.start(ACCOUNTS), services.start(LEDGER))
        clients = Clients(lambda: _address(services), pause=0.05)
        asking = asyncio.create_task(clients.run(8))
        helping = [asyncio.create_task(_ask_for_retries(look)), asyncio.create_task(_keep_together(look, clients))]
        plan = [(place, hit) for hit in hits for place in PLACES]
        await asyncio.gather(
            _one_after_another(look, services, ACCOUNTS, [p for p in plan if not _is_of_the_ledger(p)], found),
            _one_after_another(look, services, LEDGER, [p for p in plan if _is_of_the_ledger(p)], found),
        )
        clients.stop()
        await asking
        await ended(helping)
        left = await look.settled()
        found.verdict = await look.verdict(clients.operations, settled=not left)
        if left:
            found.verdict.unsettled.append(f"after the crashes some work was not done: {left}")
    return found


def _is_of_the_ledger(point: tuple[str, int]) -> bool:
    return point[0].startswith(_IN_THE_LEDGER)


async def _one_after_another(
    look: Looking, services: Fleet, context: str, plan: Sequence[tuple[str, int]], found: Crashed
) -> None:
    """Starts a process for each crash point. Each continues with the stores that the crashed one before it left."""
    for service in services.living(context):
        await services.kill(service)
    for place, hit in plan:
        service = await services.start(context, {VARIABLE: f"{place}:{hit}"}, wait=False)
        with contextlib.suppress(AssertionError):
            await while_moving(partial(_has_ended, service), look.moved, still=_STILL)
        if service.process.returncode == EXIT_CODE:
            found.places.append(f"{place}:{hit}")
        else:
            found.missed.append(f"{place}:{hit}")
            await services.kill(service)
    await services.start(context)


def _has_ended(service: Service) -> bool:
    return not service.alive


async def _ask_for_retries(look: Looking) -> None:
    while True:
        with contextlib.suppress(Exception):
            await look.ask_for_retries()
        await asyncio.sleep(0.5)


async def _keep_together(look: Looking, clients: Clients) -> None:
    """Holds the clients while the ledger is far behind them.

    A message that fails is read and tried together with all that wait behind it, so thousands of them would take longer
    than all the crashes.
    """
    while True:
        try:
            left = await look.backlog(LEDGER)
            clients.held = left.queued + left.quarantined > _FAR_BEHIND
        except Exception:
            clients.held = False
        await asyncio.sleep(0.5)


def _address(services: Fleet) -> str:
    """Returns the address of the newest accounts process, which may not be ready yet."""
    known = [service for service in services.services if service.context == ACCOUNTS]
    return f"127.0.0.1:{known[-1].port}"
