"""Measures the time to recover from the loss of a service, of a lease's holder, of the broker and of the primary."""

import asyncio
import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.lib.prove.checker import Verdict
from scripts.lib.prove.fleet import LEASE_SECONDS
from scripts.lib.prove.ground import ACCOUNTS, LEDGER
from scripts.lib.prove.servers import ELECTION_SECONDS, Servers
from scripts.lib.prove.stage import Stage, stage

AWAY_SECONDS = 5.0
_PATIENCE = 60.0


@dataclass(slots=True)
class Recovered:
    """The times of recovery, in seconds.

    Attributes:
        service_restart: from kill -9 of the only process of a context to the first answer of the next process.
        lease_takeover: from kill -9 of the process that holds the leases, with a second process running, until events
            flow again.
        broker_restart: from the command to start the broker until events flow again.
        drained: from the command to start the broker until all events of the time without a broker were received.
        primary_lost: from kill -9 of the primary to the first answer after it.
        answered_without_broker: the number of commands that were answered while the broker was down.
    """

    service_restart: float = 0.0
    lease_takeover: float = 0.0
    broker_restart: float = 0.0
    drained: float = 0.0
    primary_lost: float = 0.0
    answered_without_broker: int = 0
    verdict: Verdict = field(default_factory=Verdict)

    def seconds(self) -> dict[str, float]:
        """Returns the times, and the settings on which they depend."""
        return {
            "service_restart": round(self.service_restart, 2),
            "lease_takeover": round(self.lease_takeover, 2),
            "lease": LEASE_SECONDS,
            "broker_restart": round(self.broker_restart, 2),
            "broker_drained": round(self.drained, 2),
            "primary_lost": round(self.primary_lost, 2),
            "election_timeout": ELECTION_SECONDS,
        }


async def recover(servers: Servers, folder: Path) -> Recovered:
    """Causes one loss after another, under load, and measures the time until each is recovered."""
    found = Recovered()
    async with stage(servers, folder, "recovery") as scene:
        await asyncio.sleep(2.0)
        found.primary_lost = await _lose_primary(servers, scene)
        await asyncio.sleep(2.0)
        found.service_restart = await _lose_service(scene)
        await asyncio.sleep(2.0)
        found.lease_takeover = await _lose_holder(scene)
        await asyncio.sleep(2.0)
        await _lose_broker(servers, scene, found)
        found.verdict = await scene.finish()
    return found


async def _lose_primary(servers: Servers, scene: Stage) -> float:
    primary = await servers.primary()
    lost = asyncio.get_running_loop().time()
    await primary.kill()
    seconds = await _silence(scene.clients.successes, lost)
    await primary.start()
    return seconds


async def _lose_service(scene: Stage) -> float:
    [service] = scene.services.living(ACCOUNTS)
    lost = asyncio.get_running_loop().time()
    await scene.services.kill(service)
    starting = asyncio.create_task(scene.services.start(ACCOUNTS))
    seconds = await _silence(scene.clients.successes, lost)
    await starting
    return seconds


async def _lose_holder(scene: Stage) -> float:
    """Kills the ledger's first process, which holds the leases, after a second process has run for two leases."""
    [holder] = scene.services.living(LEDGER)
    await scene.services.start(LEDGER)
    await asyncio.sleep(2 * LEASE_SECONDS)
    lost = asyncio.get_running_loop().time()
    await scene.services.kill(holder)
    return await _silence(scene.flow, lost)


async def _lose_broker(servers: Servers, scene: Stage, found: Recovered) -> None:
    loop = asyncio.get_running_loop()
    await servers.ctl("stop_app")
    lost = loop.time()
    await asyncio.sleep(AWAY_SECONDS)
    found.answered_without_broker = len(scene.clients.successes) - bisect.bisect(scene.clients.successes, lost)
    back = loop.time()
    await servers.ctl("start_app")
    await servers.broker_ready()
    wanted = len(scene.flow) + found.answered_without_broker
    found.broker_restart = await _silence(scene.flow, back, silence=0.0)
    async with asyncio.timeout(_PATIENCE):
        while len(scene.flow) < wanted:
            await asyncio.sleep(0.02)
    found.drained = loop.time() - back


async def _silence(moments: Sequence[float], lost: float, *, silence: float = 0.3) -> float:
    """Returns the seconds from a loss to the first moment after the silence that follows the loss.

    Answers and events that were already in progress may still arrive after the loss. They are over when no moment
    follows for `silence` seconds.
    """
    async with asyncio.timeout(_PATIENCE):
        while True:
            await asyncio.sleep(0.02)
            later = list(moments[bisect.bisect(moments, lost) :])
            for before, after in zip([lost, *later], later, strict=False):
                if after - before >= silence:
                    return after - lost
