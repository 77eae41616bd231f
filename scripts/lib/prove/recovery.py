"""How long it takes to come back: after a service, a lease's holder, the broker or the primary is lost."""

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
    """Seconds until things went on.

    Attributes:
        service_restart: from kill -9 of the only process of a context to the first answer of the next.
        lease_takeover: from kill -9 of the process that holds the leases, with another beside it, until events flow.
        broker_restart: from the moment the broker is told to start until events flow.
        drained: from then until the events of the time without a broker had all come out.
        primary_lost: from kill -9 of the primary to the first answer after it.
        answered_without_broker: commands that were answered while the broker was away.
    """

    service_restart: float = 0.0
    lease_takeover: float = 0.0
    broker_restart: float = 0.0
    drained: float = 0.0
    primary_lost: float = 0.0
    answered_without_broker: int = 0
    verdict: Verdict = field(default_factory=Verdict)

    def seconds(self) -> dict[str, float]:
        """Returns the figures, with the settings that they depend on beside them."""
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
    """Loses one after another, under load, and measures."""
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
        found.verdict = await scene.finish(within=120)
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
    """The ledger's first process holds its leases; the second has been up for a while when that is killed."""
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
    """Returns the seconds from a loss to the first moment behind a silence that followed it.

    What was under way when it happened may still come out: a pause of `silence` tells that it has.
    """
    async with asyncio.timeout(_PATIENCE):
        while True:
            await asyncio.sleep(0.02)
            later = list(moments[bisect.bisect(moments, lost) :])
            for before, after in zip([lost, *later], later, strict=False):
                if after - before >= silence:
                    return after - lost
