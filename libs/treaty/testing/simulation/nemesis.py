"""The nemesis of a simulation: it draws the faults of a cluster, and their times."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from treaty.commits.holes import HOLES, holes, mend
from treaty.domain import DomainError
from treaty.followers.relay import ROUTED
from treaty.process.crashes import PLACES
from treaty.testing.simulation.cluster import Cluster, Node
from treaty.testing.simulation.operator import Operator, give_up_what_is_left

_OPENING_SECONDS = 5.0
"""Virtual seconds in which a process that has met an unreadable commit has noted it, or met it again as mended."""


@dataclass(slots=True)
class Nemesis:
    """Causes one fault after another in a cluster for some time; then it repairs them.

    Attributes:
        every: the average number of seconds between two faults.
        without: faults to leave out, by the names in `Cluster.faults`.
    """

    cluster: Cluster
    every: float = 1.0
    without: frozenset[str] = frozenset()
    _under_way: "list[asyncio.Task[None]]" = field(default_factory=list)

    async def run(self, seconds: float) -> None:
        """Causes faults for some virtual seconds, and heals the cluster at the end."""
        loop = self.cluster.loop
        end = loop.time() + seconds
        while loop.time() < end:
            await asyncio.sleep(loop.chance.uniform(0.0, 2 * self.every))
            fault = loop.chance.choice([fault for fault in self._faults if _name(fault) not in self.without])
            self.cluster.faults.append(_name(fault))
            self._under_way.append(loop.create_task(_run(fault)))
        await self.heal()

    async def heal(self) -> None:
        """Ends every lasting fault, and starts a process for each context without one."""
        cluster = self.cluster
        for fault in self._under_way:
            fault.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await give_up_what_is_left(cluster)
        cluster.broker.away = False
        cluster.broker.refused.clear()
        for store in cluster.stores.values():
            await store.commits.catch_up()
        for node in cluster.living():
            node.probe.crash_at = None
            if node.process.stopped:
                cluster.go_on(node)
            for wire in node.wires:
                wire.cut = False
        for context in cluster.contexts:
            if not cluster.living(context):
                cluster.start(context)
        await self._mend()

    @property
    def _faults(self) -> Sequence[Callable[[], Awaitable[None]]]:
        return (
            self._kill,
            self._kill_at_crash_point,
            self._stop_and_go_on,
            self._deploy,
            self._lose_channels,
            self._broker_away,
            self._unbind,
            self._cut_wire,
            self._primary_alone,
            self._history_lost,
            self._unreadable,
            self._clock_jump,
            self._server_clock_jump,
            self._scale_out,
            self._rebuild,
            self._replay,
        )

    def _somebody(self) -> Node | None:
        living = [node for node in self.cluster.living() if node.serving and not node.process.stopped]
        return self.cluster.loop.chance.choice(living) if living else None

    async def _pause(self, most: float) -> None:
        await asyncio.sleep(self.cluster.loop.chance.uniform(0.1, most))

    async def _kill(self) -> None:
        node = self._somebody()
        if node is not None:
            self.cluster.kill(node)
            await self._pause(2.0)
            self.cluster.start(node.context)

    async def _kill_at_crash_point(self) -> None:
        node = self._somebody()
        if node is not None:
            chance = self.cluster.loop.chance
            node.probe.crash_at = chance.choice(list(PLACES)), chance.randint(1, 3)
            await self._pause(3.0)
            if not node.process.alive:
                self.cluster.start(node.context)

    async def _stop_and_go_on(self) -> None:
        """Stops a process for longer than its leases; then it continues without notice."""
        node = self._somebody()
        if node is not None:
            self.cluster.stop(node)
            await self._pause(3 * self.cluster.lease_seconds)
            if node.process.alive:
                self.cluster.go_on(node)

    async def _deploy(self) -> None:
        node = self._somebody()
        if node is not None:
            self.cluster.start(node.context)
            await self.cluster.drain(node)

    async def _scale_out(self) -> None:
        node = self._somebody()
        if node is not None and len(self.cluster.living(node.context)) < 3:
            self.cluster.start(node.context)

    async def _rebuild(self) -> None:
        """Rebuilds a read model; the operator's process may be killed or stopped in the middle."""
        await self._operate(lambda operator, node: operator.rebuild(node))

    async def _replay(self) -> None:
        """Replays the history of one context to another; the operator's process may be killed or stopped."""
        await self._operate(lambda operator, node: operator.replay(node))

    async def _operate(self, begin: Callable[[Operator, Node], None]) -> None:
        node = self._somebody()
        if node is None:
            return
        operator, chance = Operator(self.cluster), self.cluster.loop.chance
        begin(operator, node)
        await self._pause(2.0)
        fate = chance.choice(["goes on", "goes on", "is killed", "is stopped"])
        if fate == "is killed":
            self.cluster.kill(operator.node)
        elif fate == "is stopped":
            operator.node.process.stopped = True
            await self._pause(3 * self.cluster.lease_seconds)
            self.cluster.go_on(operator.node)

    async def _lose_channels(self) -> None:
        self.cluster.broker.drop()

    async def _broker_away(self) -> None:
        self.cluster.broker.away = True
        self.cluster.broker.drop()
        await self._pause(3.0)
        self.cluster.broker.away = False

    async def _unbind(self) -> None:
        """Deletes bindings that are in use, as an operator may by mistake; their owners declare them again soon."""
        places = [name for stores in self.cluster.stores.values() for name in await stores.checkpoints.load()]
        used = [name.removeprefix(ROUTED) for name in places if name.startswith(ROUTED)]
        if used:
            self.cluster.broker.unbind(*used)

    async def _cut_wire(self) -> None:
        node = self._somebody()
        if node is not None:
            wire = self.cluster.loop.chance.choice(node.wires)
            wire.cut = True
            await self._pause(4.0)
            wire.cut = False

    async def _primary_alone(self) -> None:
        """Separates the primary from its majority; its commits of that time survive or are rolled back."""
        commits = self.cluster.stores[self.cluster.loop.chance.choice(self.cluster.contexts)].commits
        commits.lag()
        await self._pause(2.0)
        if self.cluster.loop.chance.random() < 0.5:
            await commits.roll_back()
        else:
            await commits.catch_up()

    async def _history_lost(self) -> None:
        self.cluster.stores[self.cluster.loop.chance.choice(self.cluster.contexts)].commits.history_lost = True

    async def _unreadable(self) -> None:
        """Makes a commit unreadable, an old one or the next one; a person mends it after a while."""
        chance = self.cluster.loop.chance
        commits = self.cluster.stores[chance.choice(self.cluster.contexts)].commits
        old = [commit.id for commit in commits.commits if not commit.stream.startswith(HOLES)]
        if old and chance.random() < 0.3:
            commits.unreadable.add(chance.choice(old))
        else:
            commits.spoil_next = True
        await self._pause(5.0)
        await self._mend()

    async def _mend(self) -> None:
        """Repairs all unreadable commits, and closes their holes once no process can still be opening one."""
        for stores in self.cluster.stores.values():
            stores.commits.spoil_next = False
            stores.commits.unreadable.clear()
        await asyncio.sleep(_OPENING_SECONDS)
        for stores in self.cluster.stores.values():
            for hole in await holes(stores.log):
                if hole.is_open:
                    with contextlib.suppress(DomainError):
                        await mend(stores.log, hole.stream, by="the nemesis", reason="repaired")

    async def _clock_jump(self) -> None:
        node = self._somebody()
        if node is not None:
            node.clock.offset += self.cluster.loop.chance.uniform(-300.0, 300.0)

    async def _server_clock_jump(self) -> None:
        """Moves the servers' clock forward, so that leases expire early: two processes may hold one for a moment."""
        self.cluster.clock.offset += self.cluster.loop.chance.uniform(0.0, 2 * self.cluster.lease_seconds)


def _name(fault: Callable[[], Awaitable[None]]) -> str:
    name: str = fault.__name__
    return name.removeprefix("_")


async def _run(fault: Callable[[], Awaitable[None]]) -> None:
    await fault()
