"""Repositories: the only way to read and change aggregates. The commands on one stream share a lane and its commits.

A lane is a task of its own, so a cancelled or expired call never interrupts a commit. Commands that arrive while a
commit is in flight wait; then all of them are decided on the state after it, and are written as one commit.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from treaty.causes import Cause, current_cause
from treaty.commits.codec import Names
from treaty.commits.commit import Committed
from treaty.commits.decider import Decide, Decider
from treaty.commits.log import CommitLog
from treaty.commits.stored import LONGEST_ID, Stored, is_safe_id
from treaty.commits.streams import RequestReused, Streams
from treaty.commits.writer import Asked, Writer
from treaty.domain import Aggregate, Invalid, NotFound, Policy
from treaty.surroundings import Surroundings

A = TypeVar("A", bound=Aggregate[Any])


_BUSY = 4  # after a commit of so many commands, more probably follow


class Overloaded(Exception):
    """The lane is full, and nothing was done. The caller may try again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one repository.

    Attributes:
        per_commit: the most commands that share one commit.
        per_lane: the most commands that wait on one stream.
        cached: the number of streams whose latest durable state is kept in memory.
        gather_seconds: seconds that a busy lane waits for more commands after a commit that several commands shared.
    """

    per_commit: int = 100
    per_lane: int = 1000
    cached: int = 5000
    gather_seconds: float = 0.012


@dataclass(slots=True)
class _Lane(Generic[A]):
    stream: str
    queue: "deque[Asked[A]]" = field(default_factory=deque)
    by_cause: "dict[str, Asked[A]]" = field(default_factory=dict)
    task: "asyncio.Task[None] | None" = None


class Repository(Generic[A]):
    """Reads and changes the aggregates of one kind.

    Args:
        log: keeps the commits.
        stored: the stored form of the aggregate.
        policies: the functions that return the effects of each event; the effects are in the same commit.
        commands: the stored names of the calls that the aggregate or its policies may make.
    """

    def __init__(
        self,
        log: CommitLog,
        stored: Stored[A],
        *,
        surroundings: Surroundings,
        policies: Iterable[Policy] = (),
        commands: Names | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._stored = stored
        self._streams = Streams(log, stored)
        self._limits = limits or Limits()
        decider = Decider(stored, tuple(policies), commands or Names(()))
        self._writer = Writer(log, self._streams, decider, surroundings=surroundings, cached=self._limits.cached)
        self._lanes: dict[str, _Lane[A]] = {}

    async def get(self, id: str) -> Committed[A]:
        """Returns the aggregate as of its latest commit on a majority.

        Raises:
            NotFound: if it does not exist.
        """
        head = await self._writer.load(self._stored.stream_of(id))
        if not head.exists:
            raise NotFound(f"{self._stored.kind.__name__} {id} does not exist")
        return Committed(head.state, head.stream, head.version)

    async def at(self, id: str, *, version: int = 0, moment: datetime | None = None) -> Committed[A]:
        """Returns the aggregate as it was at a version, or at a moment (to the server's second).

        Raises:
            NotFound: if it did not exist then.
        """
        return await self._streams.past(id, version, moment)

    async def change(self, id: str, decide: Decide[A], *, cause: Cause | None = None) -> Committed[A]:
        """Changes an aggregate that exists, and returns when the change is durable.

        `decide` calls methods of the aggregate; it may run again on newer state. A cause takes effect on a stream once;
        a repeated request gets the first answer.

        Raises:
            NotFound: if the aggregate does not exist.
            DomainError: the refusal that `decide` raises.
            RequestReused: if the stream has the cause with another body.
            Overloaded: if too many commands wait for this aggregate.
        """
        return await self._submit(id, decide, cause, must_exist=True)

    async def add(self, id: str, decide: Decide[A], *, cause: Cause | None = None) -> Committed[A]:
        """Changes an aggregate as `change` does, or makes a new one: then `decide` gets its blank state.

        Raises:
            Invalid: if the id of a new aggregate is too long or has an `@`; see also `change`.
        """
        if not is_safe_id(id) and not (await self._writer.load(self._stored.stream_of(id))).exists:
            raise Invalid(
                f"{id[:40]!r} cannot be the id of a new {self._stored.kind.__name__}: use 1 to {LONGEST_ID} bytes of "
                "printable characters without @",
                reason="INVALID_ID",
            )
        return await self._submit(id, decide, cause, must_exist=False)

    async def _submit(self, id: str, decide: Decide[A], cause: Cause | None, *, must_exist: bool) -> Committed[A]:
        cause, stream = cause or current_cause(), self._stored.stream_of(id)
        if cause.continues:
            cause = await self._streams.continued(stream, cause)
        lane = self._lane(stream)
        waiting = lane.by_cause.get(cause.id)
        if waiting is not None and not waiting.answer.done():
            if waiting.cause.digest != cause.digest:
                raise RequestReused(cause.id)
            return await asyncio.shield(waiting.answer)
        if len(lane.queue) >= self._limits.per_lane:
            raise Overloaded(f"{len(lane.queue)} commands wait for {lane.stream} already; try again later")
        answer: asyncio.Future[Committed[A]] = asyncio.get_running_loop().create_future()
        waiting = Asked(cause, decide, must_exist, answer)
        lane.queue.append(waiting)
        lane.by_cause[cause.id] = waiting
        if lane.task is None:
            lane.task = asyncio.create_task(self._run(lane))
        return await asyncio.shield(answer)

    def _lane(self, stream: str) -> _Lane[A]:
        lane = self._lanes.get(stream)
        if lane is None:
            lane = self._lanes[stream] = _Lane(stream)
        return lane

    async def _run(self, lane: _Lane[A]) -> None:
        try:
            while lane.queue:
                batch = [lane.queue.popleft() for _ in range(min(len(lane.queue), self._limits.per_commit))]
                await self._writer.settle(lane.stream, batch)
                for request in batch:
                    if lane.by_cause.get(request.cause.id) is request:
                        del lane.by_cause[request.cause.id]
                if len(batch) >= _BUSY:
                    await asyncio.sleep(self._limits.gather_seconds)
        finally:
            for request in lane.by_cause.values():
                request.answer.cancel()
            del self._lanes[lane.stream]
