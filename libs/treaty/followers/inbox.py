"""Finds out when everything that was in a context's inbox at some moment has been handled.

Marks go into each partition behind all that is there. The owner of a partition notes a mark once everything before it
took effect or is in quarantine.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from treaty.chance import backoff
from treaty.commits.log import Place
from treaty.followers.leases import Checkpoints
from treaty.messaging.broker import Broker, Topology
from treaty.messaging.replays import MARK
from treaty.surroundings import Surroundings

logger = structlog.get_logger()

_FIRST_LOOK, _LONGEST_PAUSE = 0.02, 1.0

_AGAIN_SECONDS = 60.0
"""After so long without news a mark is put into the partitions again: a consumer may not have known marks."""


async def note_mark(checkpoints: Checkpoints, partition: int, name: str) -> None:
    """Records that everything before a mark has been handled."""
    kind, _, number = name.partition(" ")
    await checkpoints.save({noted_as(f"{kind} ", partition): Place(number)}, 0)


def noted_as(kind: str, partition: int) -> str:
    """Returns the name under which the latest mark of a kind in a partition is noted; its number is the token."""
    return f"{kind}p{partition}"


@dataclass(eq=False, slots=True)
class _Waiter:
    """Waits for a mark of this number or a later one."""

    number: int
    since: float
    read: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, kw_only=True)
class InboxReader:
    """Marks the inbox of a context, for work that must not begin before everything there has been handled.

    Attributes:
        epoch: of the lease of the process that waits; the marks of a later one are later.
        longest: seconds after which a caller goes on all the same, because a partition has no owner or the broker is
            away.
    """

    topology: Topology
    broker: Broker
    checkpoints: Checkpoints
    epoch: int
    surroundings: Surroundings
    longest: float = 600.0
    _waiters: list[_Waiter] = field(default_factory=list)
    _begun: int = 0
    _put: int = 0
    _marked_at: float = 0.0
    _looks: int = 0
    _asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        """Returns when everything that is in the inbox now has been handled, or after `longest` seconds.

        A context without an inbox has nothing to read.
        """
        if not self.topology.subscribes:
            return
        waiter = _Waiter(self._begun + 1, asyncio.get_running_loop().time())
        self._waiters.append(waiter)
        self._looks = 0
        self._asked.set()
        await waiter.read.wait()

    async def run(self) -> None:
        """Marks the inbox while somebody waits, until it is cancelled."""
        while True:
            await self._asked.wait()
            try:
                await self._mark_if_needed()
                self._let_go(await self._noted())
            except Exception as error:
                logger.debug("the inbox cannot be marked now", context=self.topology.context, why=str(error))
            self._give_up_late()
            if self._waiters:
                await asyncio.sleep(backoff(self._looks, _FIRST_LOOK, _LONGEST_PAUSE))
                self._looks += 1
            else:
                self._asked.clear()

    async def _mark_if_needed(self) -> None:
        now = asyncio.get_running_loop().time()
        is_wanted = any(waiter.number > self._put for waiter in self._waiters)
        if not is_wanted and now < self._marked_at + _AGAIN_SECONDS:
            return
        self._begun += 1
        number = self._begun
        for partition in range(self.topology.partitions):
            await self.broker.end_replay(self.topology, partition, MARK + self._name(number))
        self._put, self._marked_at = number, now

    def _name(self, number: int) -> str:
        return f"{self.epoch:012d}.{number:012d}"

    async def _noted(self) -> str:
        """Returns the latest mark that all partitions have passed."""
        places: Mapping[str, Place] = await self.checkpoints.load()
        return min(places.get(noted_as(MARK, p), Place()).token for p in range(self.topology.partitions))

    def _let_go(self, noted: str) -> None:
        """Lets the waiters go on whose mark all partitions have passed."""
        self._remove([waiter for waiter in self._waiters if self._name(waiter.number) <= noted])

    def _give_up_late(self) -> None:
        """Lets the waiters go on that have waited too long, and reports how long the others have waited."""
        now = asyncio.get_running_loop().time()
        late = [waiter for waiter in self._waiters if now >= waiter.since + self.longest]
        if late:
            logger.warning(
                "timers fire though the inbox was not read", context=self.topology.context, seconds=round(self.longest)
            )
            self.surroundings.probe.count("treaty.timers.unread")
        self._remove(late)
        waited = max((now - waiter.since for waiter in self._waiters), default=0.0)
        self.surroundings.probe.gauge("treaty.timers.held", waited)

    def _remove(self, waiters: list[_Waiter]) -> None:
        self._waiters = [waiter for waiter in self._waiters if waiter not in waiters]
        for waiter in waiters:
            waiter.read.set()
