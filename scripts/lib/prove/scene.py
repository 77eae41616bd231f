"""A domain on a simulated cluster: its contexts run, clients work under faults, and all is settled in the end."""

import asyncio
import uuid
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from treaty.operations.backlog import backlog
from treaty.rpc.peers import PeerAway
from treaty.service.contexts import load_context
from treaty.service.ports import Ports
from treaty.surroundings import Surroundings
from treaty.testing.simulation import Cluster, Rates, Unanswered
from treaty.testing.simulation.cluster import SimulatedChance
from treaty.testing.simulation.nemesis import Nemesis
from treaty.testing.simulation.operator import give_up_what_is_left
from treaty.testing.world import SeededIds

from scripts.lib.prove.checker import Verdict
from scripts.lib.prove.simulated import Run, digest_of

SETTLED_WITHIN = 900.0
"""Virtual seconds after the last fault, within which all work must be done."""


class DomainScene:
    """A cluster with the contexts of one domain, and clients that work with them. It is made inside a simulation."""

    def __init__(self, contexts: tuple[str, ...], environ: Mapping[str, str]) -> None:
        loop = asyncio.get_running_loop()
        self.chance = loop.chance  # type: ignore[attr-defined]
        partitions = self.chance.randint(1, 2)
        self.cluster = Cluster(load=load_context, contexts=contexts, environ=environ, partitions=partitions)
        self._clients: list[asyncio.Task[None]] = []
        self._services = {name: load_context(name)(self._ports(name)) for name in contexts}

    def new_id(self) -> str:
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    async def ask(self, context: str, method: str, request: Any) -> Any:
        """Makes a call. Raises the refusal of the context, or PeerAway if there is no answer."""
        try:
            return await self.cluster.ask(context, method, request)
        except Unanswered as why:
            raise PeerAway(context, str(why)) from None

    async def start(self) -> None:
        """Starts one or two processes of each context."""
        for context in self._services:
            for _ in range(self.chance.randint(1, 2)):
                self.cluster.start(context)
        await self.cluster.up()

    async def play(self, clients: Iterable[Coroutine[Any, Any, None]], *, faulty: bool, seconds: float) -> None:
        """Lets clients work, and runs the nemesis beside them until it ends.

        Args:
            faulty: whether there are faults at all.
            seconds: the least time of the nemesis; the longest is two and a half times as long.
        """
        self._clients = [asyncio.create_task(client) for client in clients]
        if faulty:
            rate = self.chance.choice([0.0, 0.02, 0.05])
            self.cluster.disturb(Rates(lost=rate, unanswered=rate, late=rate, latency=0.01))
            nemesis = Nemesis(self.cluster, every=self.chance.choice([0.4, 1.0]))
            await nemesis.run(self.chance.uniform(seconds, 2.5 * seconds))
        self.cluster.disturb(Rates(latency=0.01))

    async def settle(self) -> str:
        """Waits until all work is done; returns a description of what is left in the end, empty if nothing is.

        A client that never ends is for the audit.
        """
        deadline = self.cluster.loop.time() + SETTLED_WITHIN
        quiet, left = 0, "it was not looked at"
        while self.cluster.loop.time() < deadline and quiet < 2:
            await give_up_what_is_left(self.cluster)  # a late request of an operator may have begun a replay
            left = await self._left()
            waiting = not all(client.done() for client in self._clients)
            quiet = 0 if left or waiting else quiet + 1
            await asyncio.sleep(0.4)
        for client in self._clients:
            if client.done():
                client.result()
            client.cancel()
        return left

    def run_of(self, seed: int, verdict: Verdict, left: str) -> Run:
        """Returns the outcome of the seed, with what is left and the errors of the loop."""
        cluster, loop = self.cluster, self.cluster.loop
        if left:
            verdict.unsettled.append(f"after {SETTLED_WITHIN:.0f} s without faults some work is not done: {left}")
        verdict.untrue += loop.errors
        return Run(seed, verdict, cluster.faults, loop.steps, loop.time(), digest_of(cluster), not left)

    def _ports(self, name: str) -> Ports:
        """Returns ports to build a context that is only read."""
        cluster, chance = self.cluster, SimulatedChance(self.cluster.loop)
        surroundings = Surroundings(clock=cluster.clock, ids=SeededIds(), chance=chance)
        return Ports(stores=cluster.stores[name], surroundings=surroundings, environ=cluster.environ)

    async def _left(self) -> str:
        left = []
        for name, stores in self.cluster.stores.items():
            found = await backlog(self._services[name], stores, self.cluster.broker, self.cluster.partitions)
            timers = sum(due <= self.cluster.clock.now() for due in (await stores.pending.timers(1000)).values())
            if not found.empty or timers:
                left.append(f"{name}: {found}, {timers} timers")
        return "; ".join(left)
