"""Runs a seed of the agency: its contexts on a simulated cluster, its people, the nemesis, and the audit."""

import asyncio
import uuid
from typing import Any

from treaty.operations.backlog import backlog
from treaty.rpc.peers import PeerAway
from treaty.service.contexts import load_context
from treaty.service.ports import Ports
from treaty.surroundings import Surroundings
from treaty.testing.simulation import Cluster, Rates, Unanswered, simulate
from treaty.testing.simulation.cluster import SimulatedChance
from treaty.testing.simulation.nemesis import Nemesis
from treaty.testing.simulation.operator import give_up_what_is_left
from treaty.testing.world import SeededIds

from scripts.lib.prove.agency import AGENCY
from scripts.lib.prove.agency.audit import audit
from scripts.lib.prove.agency.people import People
from scripts.lib.prove.simulated import Run, digest_of

SETTLED_WITHIN = 900.0
"""Virtual seconds after the last fault, within which all work must be done."""

AGENCY_EVERY = 40
"""One of so many seeds is of the agency."""


def is_of_the_agency(seed: int) -> bool:
    return seed % AGENCY_EVERY == AGENCY_EVERY // 2


def run_agency_seed(seed: int, *, faulty: bool = True) -> Run:
    """Runs one seed of the agency; with `faulty`, under faults of processes, messages, the broker and the stores."""
    return simulate(seed, _run(seed, faulty=faulty))


async def _run(seed: int, *, faulty: bool) -> Run:
    scene = _Scene()
    await scene.open()
    await scene.play(faulty=faulty)
    left = await scene.settle()
    cluster, loop = scene.cluster, scene.cluster.loop
    verdict = await audit(cluster.stores, scene.people, settled=not left)
    if left:
        verdict.unsettled.append(f"after {SETTLED_WITHIN:.0f} s without faults some work is not done: {left}")
    verdict.untrue += loop.errors
    return Run(seed, verdict, cluster.faults, loop.steps, loop.time(), digest_of(cluster), not left)


class _Scene:
    """A cluster with a few assets, which some people want."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.chance = loop.chance  # type: ignore[attr-defined]
        self.cluster = Cluster(load=load_context, contexts=AGENCY, environ={}, partitions=self.chance.randint(1, 2))
        self.people = People(
            ask=self._ask,
            assets=self.chance.randint(1, 3),
            chance=self.chance,
            new_id=lambda: str(uuid.UUID(int=self.chance.getrandbits(128), version=4)),
        )
        self._working: list[asyncio.Task[None]] = []
        self._services = {name: load_context(name)(self._ports(name)) for name in AGENCY}

    async def _ask(self, context: str, method: str, request: Any) -> Any:
        try:
            return await self.cluster.ask(context, method, request)
        except Unanswered as why:
            raise PeerAway(context, str(why)) from None

    def _ports(self, name: str) -> Ports:
        """Returns ports to build a context that is only read."""
        cluster, chance = self.cluster, SimulatedChance(self.cluster.loop)
        surroundings = Surroundings(clock=cluster.clock, ids=SeededIds(), chance=chance)
        return Ports(stores=cluster.stores[name], surroundings=surroundings, environ=cluster.environ)

    async def open(self) -> None:
        for context in AGENCY:
            for _ in range(self.chance.randint(1, 2)):
                self.cluster.start(context)
        await self.cluster.up()
        await self.people.open()

    async def play(self, *, faulty: bool) -> None:
        """Lets people work, and runs the nemesis beside them until it ends."""
        clients = self.chance.randint(2, 4)
        self._working = [asyncio.create_task(self.people.work(self.chance.randint(5, 12))) for _ in range(clients)]
        if faulty:
            rate = self.chance.choice([0.0, 0.02, 0.05])
            self.cluster.disturb(Rates(lost=rate, unanswered=rate, late=rate, latency=0.01))
            await Nemesis(self.cluster, every=self.chance.choice([0.4, 1.0])).run(self.chance.uniform(3.0, 8.0))
        self.cluster.disturb(Rates(latency=0.01))

    async def settle(self) -> str:
        """Waits until all work is done; returns a description of what is left in the end, empty if nothing is."""
        deadline = self.cluster.loop.time() + SETTLED_WITHIN
        quiet, left = 0, "it was not looked at"
        while self.cluster.loop.time() < deadline and quiet < 2:
            await give_up_what_is_left(self.cluster)  # a late request of an operator may have begun a replay
            left = await self._left()
            quiet = 0 if left else quiet + 1
            await asyncio.sleep(0.4)
        for one in self._working:
            if one.done():
                one.result()
            one.cancel()
        return left

    async def _left(self) -> str:
        working = sum(not one.done() for one in self._working)
        left = [f"{working} people"] if working else []
        for name, stores in self.cluster.stores.items():
            found = await backlog(self._services[name], stores, self.cluster.broker, self.cluster.partitions)
            timers = sum(due <= self.cluster.clock.now() for due in (await stores.pending.timers(1000)).values())
            if not found.empty or timers:
                left.append(f"{name}: {found}, {timers} timers")
        return "; ".join(left)
