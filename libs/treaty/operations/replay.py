"""Runs a replay: the consumer holds live events back, the history is delivered to it alone, and the replay ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence, Set
from functools import partial
from typing import TypeVar

import structlog

from treaty.chance import Chance, retrying
from treaty.commits.commit import Commit
from treaty.commits.holes import holes
from treaty.commits.log import CommitLog, Unreadable
from treaty.domain import Conflict, Rejected
from treaty.followers.leases import Leases
from treaty.messaging.broker import Broker, BrokerAway, NotAccepted, Topology
from treaty.messaging.envelope import Envelope, envelopes
from treaty.messaging.replays import Replay, Replays
from treaty.operations.audit import history

logger = structlog.get_logger()

T = TypeVar("T")

_LOOK_EVERY = 0.1
_LEASE_SECONDS = 5.0
_TOGETHER = 256
"""The number of events that are read before they are sent: in order within a stream, in parallel across streams."""


class Replayer:
    """Delivers the history of one context to one consumer.

    Args:
        log: the producer's log.
        replays, leases, topology: the consumer's.
        environment: the environment's name in the envelopes of the producer's relay.
        seconds: the longest wait for the partitions, and for a broker that is away.

    Attributes:
        unreadable: the ids of commits that could not be read. Nothing of their streams was delivered from there on.
    """

    def __init__(
        self,
        log: CommitLog,
        replays: Replays,
        leases: Leases,
        broker: Broker,
        topology: Topology,
        *,
        chance: Chance,
        environment: str = "dev",
        seconds: float = 60.0,
    ) -> None:
        self._log, self._replays, self._leases = log, replays, leases
        self._broker, self._topology = broker, topology
        self._chance, self._environment, self._seconds = chance, environment, seconds
        self.unreadable: list[str] = []

    async def run(self, replay: Replay, *, only: Set[str] = frozenset()) -> int:
        """Delivers the events of the replay, and its end to each partition; returns the number of events.

        With `only`, it delivers no events but those with one of these ids.

        First it binds the consumer to the producer, so that events published after the end of the history arrive live.

        Raises:
            Conflict: another replay of the producer is open, or this one was abandoned.
            Rejected: a partition with an owner does not hold live events back; nothing was delivered.
            NotAccepted, BrokerAway, StoreAway: the replay is still open, and live events wait.
        """
        await self._patiently(partial(self._broker.declare, self._topology))
        await self._replays.add(replay)
        await self._until_held(replay)
        delivered = await self._deliver(replay, only)
        for partition in range(replay.partitions):
            await self._patiently(partial(self._broker.end_replay, self._topology, partition, replay.id))
        return delivered

    async def end_again(self, id: str) -> None:
        """Puts the end into the partitions that have not reached it: the first may be lost. A second has no effect."""
        with contextlib.suppress(BrokerAway, NotAccepted):
            for partition in await self._left(id):
                await self._broker.end_replay(self._topology, partition, id)

    async def left(self, id: str) -> Sequence[int]:
        """Waits until a replay is over; returns the partitions that have not reached its end in time."""
        if await self._in_time(partial(self._is_open, id), self._seconds / 2):
            await self.end_again(id)
            await self._in_time(partial(self._is_open, id), self._seconds / 2)
        return await self._left(id)

    async def _left(self, id: str) -> Sequence[int]:
        replay = await self._replays.get(id)
        return [] if replay is None else sorted(set(range(replay.partitions)) - replay.passed)

    async def _until_held(self, replay: Replay) -> None:
        """Waits until all partitions with an owner hold live events; a new owner looks before its first delivery.

        The lease of a partition without an owner is taken for a moment: an owner that was only late to renew it would
        otherwise go on, and know nothing of the replay.
        """
        late = await self._in_time(partial(self._not_holding, replay.id, set()), self._seconds)
        if late:
            await self._replays.abandon(replay.id)
            raise Rejected(
                f"{', '.join(self._topology.queue(p) for p in late)} did not begin to hold live events within "
                f"{self._seconds:.0f} s; nothing was delivered, and the replay was abandoned"
            )
        if not await self._replays.deliver(replay.id):
            raise Conflict(f"the replay {replay.id} was abandoned")

    async def _in_time(self, left: Callable[[], Awaitable[T]], seconds: float) -> T:
        """Polls until `left` returns nothing or the time is over; returns its last result."""
        until = asyncio.get_running_loop().time() + seconds
        while True:
            answer = await left()
            if not answer or asyncio.get_running_loop().time() > until:
                return answer
            await asyncio.sleep(self._chance.jitter(_LOOK_EVERY))

    async def _is_open(self, id: str) -> bool:
        replay = await self._replays.get(id)
        return replay is not None and replay.is_open

    async def _not_holding(self, id: str, free: set[int]) -> Sequence[int]:
        """Returns the partitions that do not hold live events yet; adds to `free` those whose next owner will."""
        replay = await self._open(id)
        left = [p for p in range(replay.partitions) if p not in replay.holding and p not in free]
        for partition in left:
            lease, owner = f"p{partition}", f"replay {id}"
            if await self._leases.acquire(lease, owner, _LEASE_SECONDS) is not None:
                await self._leases.release(lease, owner)
                free.add(partition)
        return [p for p in left if p not in free]

    async def _open(self, id: str) -> Replay:
        replay = await self._replays.get(id)
        if replay is None or not replay.is_open:
            raise Conflict(f"the replay {id} was abandoned")
        return replay

    async def _deliver(self, replay: Replay, only: Set[str]) -> int:
        delivered = 0
        batch: list[Envelope] = []
        async for envelope in self._wanted(replay, only):
            batch.append(envelope)
            if len(batch) == _TOGETHER:
                await self._send(replay.id, batch)
                delivered, batch = delivered + len(batch), []
        await self._send(replay.id, batch)
        return delivered + len(batch)

    async def _wanted(self, replay: Replay, only: Set[str]) -> AsyncIterator[Envelope]:
        async for commit in self._commits(replay):
            if (replay.since and commit.stored_at < replay.since) or (replay.until and commit.stored_at > replay.until):
                continue
            for envelope in envelopes(commit, context=replay.producer, environment=self._environment):
                if replay.wants(envelope) and (not only or envelope.id in only):
                    yield envelope

    async def _commits(self, replay: Replay) -> AsyncIterator[Commit]:
        """Yields the commits up to the log's end, read when all partitions hold; each stream's commits are in order."""
        if not replay.streams:
            async for commit in history(self._log):
                yield commit
            for hole in await holes(self._log):
                if hole.is_open and hole.stream:
                    self._leave_out(hole.id, hole.error)
        for stream in replay.streams:
            async for commit in self._readable(stream):
                yield commit

    async def _readable(self, stream: str) -> AsyncIterator[Commit]:
        """Yields the commits of a stream up to the first that cannot be read: what is behind it must not overtake.

        Those that come meanwhile arrive live.
        """
        try:
            head = await self._log.head(stream, fresh=True)
            first, last = 1, head.version if head is not None else 0
        except Unreadable as found:
            self._leave_out(found.id, found.why)
            first, last = 1, found.version - 1
        while first <= last:
            try:
                commits = await self._log.read(stream, first=first, last=last, states=False, most=_TOGETHER)
            except Unreadable as found:
                self._leave_out(found.id, found.why)
                last = found.version - 1
                continue
            for commit in commits:
                yield commit
            if not commits:
                return
            first = commits[-1].version + 1

    def _leave_out(self, id: str, why: str) -> None:
        self.unreadable.append(id)
        logger.error("a replay leaves out the rest of a stream: a commit cannot be read", commit=id, why=why)

    async def _send(self, id: str, batch: Sequence[Envelope]) -> None:
        """Publishes events: in order within a stream, in parallel across streams."""
        await self._open(id)
        streams: dict[str, list[Envelope]] = {}
        for envelope in batch:
            streams.setdefault(envelope.source, []).append(envelope)
        outcomes = await asyncio.gather(
            *(self._send_one_by_one(id, s) for s in streams.values()), return_exceptions=True
        )
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def _send_one_by_one(self, id: str, stream: Sequence[Envelope]) -> None:
        for envelope in stream:
            await self._patiently(partial(self._broker.redeliver, self._topology, envelope, id))

    async def _patiently(self, act: Callable[[], Awaitable[None]]) -> None:
        """Calls the broker, and tries again while it is away, for a limited time."""
        until = asyncio.get_running_loop().time() + self._seconds
        async for _ in retrying(self._chance, first=0.1, most=2.0):
            try:
                await act()
                return
            except BrokerAway:
                if asyncio.get_running_loop().time() > until:
                    raise
