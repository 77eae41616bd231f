"""Runs a seed of the bank: the three contexts on a simulated cluster, its customers, the nemesis, and the audit."""

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

from scripts.lib.prove.bank import BANK
from scripts.lib.prove.bank.audit import audit
from scripts.lib.prove.bank.customers import LARGE, Customers
from scripts.lib.prove.simulated import Run, digest_of

SETTLED_WITHIN = 900.0
"""Virtual seconds after the last fault, within which all transfers must end."""


BANK_EVERY = 40
"""One of so many seeds is of the bank."""


def is_of_the_bank(seed: int) -> bool:
    return seed % BANK_EVERY == BANK_EVERY - 1


def run_bank_seed(seed: int, *, faulty: bool = True) -> Run:
    """Runs one seed of the bank; with `faulty`, under faults of processes, messages, the broker and the stores."""
    return simulate(seed, _run(seed, faulty=faulty))


async def _run(seed: int, *, faulty: bool) -> Run:
    scene = _Scene()
    await scene.open()
    await scene.play(faulty=faulty)
    left = await scene.settle()
    customers = scene.customers
    audited = await audit(scene.cluster.stores, customers.told, customers.paid_in, settled=not left)
    if left:
        audited.verdict.unsettled.append(f"after {SETTLED_WITHIN:.0f} s without faults some work is not done: {left}")
    cluster, loop = scene.cluster, scene.cluster.loop
    audited.verdict.untrue += loop.errors
    return Run(seed, audited.verdict, cluster.faults, loop.steps, loop.time(), digest_of(cluster), not left)


class _Scene:
    """A cluster with a few accounts, between which some transfers are made."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.chance = loop.chance  # type: ignore[attr-defined]
        settings = {
            "TRANSFERS_LARGE": str(LARGE),
            "TRANSFERS_DAILY_LIMIT": "150",
            "TRANSFERS_UNSCREENED": self.chance.choice(["refuse", "approve", "accept"]),
            "TRANSFERS_SCREENING_SECONDS": self.chance.choice(["1", "30"]),
        }
        partitions = self.chance.randint(1, 2)
        self.cluster = Cluster(load=load_context, contexts=BANK, environ=settings, partitions=partitions)
        self.customers = Customers(
            ask=self._ask, people=self.chance.randint(3, 6), chance=self.chance, new_id=self._new_id
        )
        self._paying: list[asyncio.Task[None]] = []
        self._services = {name: load_context(name)(self._ports(name)) for name in BANK}

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

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
        for context in BANK:
            for _ in range(self.chance.randint(1, 2)):
                self.cluster.start(context)
        await self.cluster.up()
        await self.customers.open()

    async def play(self, *, faulty: bool) -> None:
        """Makes transfers, and runs the nemesis beside them until it ends."""
        count, clients = self.chance.randint(8, 16), self.chance.randint(2, 4)
        self._paying = [asyncio.create_task(self.customers.pay(count)) for _ in range(clients)]
        if faulty:
            rate = self.chance.choice([0.0, 0.02, 0.05])
            self.cluster.disturb(Rates(lost=rate, unanswered=rate, late=rate, latency=0.01))
            await Nemesis(self.cluster, every=self.chance.choice([0.4, 1.0])).run(self.chance.uniform(4.0, 10.0))
        self.cluster.disturb(Rates(latency=0.01))

    async def settle(self) -> str:
        """Waits until all work is done; returns a description of what is left in the end, empty if nothing is."""
        deadline = self.cluster.loop.time() + SETTLED_WITHIN
        quiet, left = 0, "it was not looked at"
        while self.cluster.loop.time() < deadline and quiet < 2:
            await give_up_what_is_left(self.cluster)  # a late request of an operator may have begun a replay
            left = await self._left()
            quiet = 0 if left or self._waiting() else quiet + 1
            await asyncio.sleep(0.4)
        for one in self._paying:
            if one.done():
                one.result()
            one.cancel()
        return left

    def _waiting(self) -> bool:
        """Returns whether a client still waits for the end of a transfer. One that never ends is for the audit."""
        return not all(one.done() for one in self._paying)

    async def _left(self) -> str:
        left = []
        for name, stores in self.cluster.stores.items():
            found = await backlog(self._services[name], stores, self.cluster.broker, self.cluster.partitions)
            timers = sum(due <= self.cluster.clock.now() for due in (await stores.pending.timers(1000)).values())
            if not found.empty or timers:
                left.append(f"{name}: {found}, {timers} timers")
        return "; ".join(left)
