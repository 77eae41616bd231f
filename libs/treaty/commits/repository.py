"""Repositories: the one way to read and change aggregates. Commands on one stream form a lane and leave together.

A lane is a task of its own, so a cancelled or expired call never cuts a commit in two. While one commit is on its way
the next commands gather; then all of them are decided on the state it left and leave as one commit.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count, repeat
from typing import Any, Generic, TypeVar

from treaty.causes import Cause, current_cause
from treaty.chance import Chance, Ids, backoff
from treaty.clock import Clock
from treaty.commits.codec import Names
from treaty.commits.commit import Commit, Committed
from treaty.commits.decider import Decide, Decider, Draft, Head, Request
from treaty.commits.log import CommitLog, CommitRefused, VersionTaken
from treaty.commits.stored import Stored
from treaty.commits.streams import RequestReused, Streams
from treaty.domain import Aggregate, DomainError, NotFound, Policy
from treaty.probes import Probe

A = TypeVar("A", bound=Aggregate[Any])


_BUSY = 4  # a commit of so many commands says that more are coming


class Overloaded(Exception):
    """The lane is full; nothing was done. Try again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one repository.

    Attributes:
        per_commit: commands that may share one commit.
        per_lane: commands that may wait on one stream.
        cached: streams whose latest durable state is kept in memory.
        gather_seconds: how long a busy lane waits for more commands after a commit that several shared.
    """

    per_commit: int = 100
    per_lane: int = 1000
    cached: int = 5000
    gather_seconds: float = 0.012


@dataclass(eq=False, slots=True)
class _Waiting(Request[A]):
    """A request and the future of its answer."""

    answer: "asyncio.Future[Committed[A]]"

    def resolve(self, outcome: Committed[A] | Exception) -> None:
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
            self.answer.exception()  # a caller that gave up must not leave a warning behind
        else:
            self.answer.set_result(outcome)


@dataclass(slots=True)
class _Lane(Generic[A]):
    stream: str
    queue: "deque[_Waiting[A]]" = field(default_factory=deque)
    by_cause: "dict[str, _Waiting[A]]" = field(default_factory=dict)
    task: "asyncio.Task[None] | None" = None


class Repository(Generic[A]):
    """The aggregates of one kind.

    Args:
        log: keeps the commits.
        stored: how the aggregate is kept.
        policies: what follows from each event, in the same commit.
        commands: the stored names of the calls that the aggregate or its policies may ask for.
    """

    def __init__(
        self,
        log: CommitLog,
        stored: Stored[A],
        *,
        clock: Clock,
        ids: Ids,
        chance: Chance,
        probe: Probe,
        policies: Iterable[Policy] = (),
        commands: Names | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._log = log
        self._stored = stored
        self._streams = Streams(log, stored)
        self._decider = Decider(stored, tuple(policies), commands or Names(()))
        self._clock, self._chance, self._probe = clock, chance, probe
        self._limits = limits or Limits()
        self._tokens = map("{}-{}".format, repeat(ids.new()), count())
        self._lanes: dict[str, _Lane[A]] = {}
        self._heads: OrderedDict[str, Head[A]] = OrderedDict()

    async def get(self, id: str) -> Committed[A]:
        """Returns the aggregate as of its latest commit that a majority holds.

        Raises:
            NotFound: if it does not exist.
        """
        head = await self._load(self._stored.stream_of(id))
        if not head.exists:
            raise NotFound(f"{self._stored.kind.__name__} {id} does not exist")
        return Committed(head.state, head.stream, head.version)

    async def at(self, id: str, *, version: int = 0, moment: datetime | None = None) -> Committed[A]:
        """Returns the aggregate as it was at a version, or at a moment (to the server's second). Raises NotFound."""
        return await self._streams.past(id, version, moment)

    async def change(self, id: str, decide: Decide[A], *, cause: Cause | None = None) -> Committed[A]:
        """Changes an aggregate that exists, and returns when that is durable.

        `decide` calls methods of the aggregate; it may run again on fresh state. The current cause takes effect on a
        stream once; the answer to a repeat is the first one.

        Raises:
            NotFound: if the aggregate does not exist.
            DomainError: as `decide` raises it.
            RequestReused: if the cause has been here with another body.
            Overloaded: if too many commands wait on this aggregate.
        """
        return await self._submit(id, decide, cause, must_exist=True)

    async def add(self, id: str, decide: Decide[A], *, cause: Cause | None = None) -> Committed[A]:
        """Like `change`, for an aggregate that may not exist yet: then `decide` gets its blank state."""
        return await self._submit(id, decide, cause, must_exist=False)

    async def _submit(self, id: str, decide: Decide[A], cause: Cause | None, *, must_exist: bool) -> Committed[A]:
        cause = cause or current_cause()
        lane = self._lane(self._stored.stream_of(id))
        waiting = lane.by_cause.get(cause.id)
        if waiting is not None and not waiting.answer.done():
            if waiting.cause.digest != cause.digest:
                raise RequestReused(cause.id)
            return await asyncio.shield(waiting.answer)
        if len(lane.queue) >= self._limits.per_lane:
            raise Overloaded(f"{len(lane.queue)} commands wait for {lane.stream} already")
        answer: asyncio.Future[Committed[A]] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(cause, decide, must_exist, answer)
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
                await self._settle_or_fail(lane.stream, batch)
                for request in batch:
                    if lane.by_cause.get(request.cause.id) is request:
                        del lane.by_cause[request.cause.id]
                if len(batch) >= _BUSY:
                    await asyncio.sleep(self._limits.gather_seconds)
        finally:
            for request in lane.by_cause.values():
                request.answer.cancel()
            del self._lanes[lane.stream]

    async def _settle_or_fail(self, stream: str, requests: "Sequence[_Waiting[A]]") -> None:
        try:
            await self._settle(stream, requests)
        except CommitRefused as refused:
            await self._settle_apart(stream, requests, refused)
        except Exception as fault:
            self._heads.pop(stream, None)
            for request in requests:
                request.resolve(fault)

    async def _settle_apart(self, stream: str, requests: "Sequence[_Waiting[A]]", refused: CommitRefused) -> None:
        """What is too large together may fit alone; what does not fit alone is told so."""
        if len(requests) == 1:
            requests[0].resolve(refused)
            return
        for request in requests:
            if not request.answer.done():
                await self._settle_or_fail(stream, [request])

    async def _settle(self, stream: str, requests: "Sequence[_Waiting[A]]") -> None:
        """Decides and commits until every request has its answer."""
        head = self._heads.get(stream) or await self._first_head(stream, requests)
        conflicts = 0
        while requests:
            draft = self._decide(head, requests)
            if draft.commit is not None:
                try:
                    await self._append(draft.commit)
                except VersionTaken:
                    conflicts += 1
                    self._heads.pop(stream, None)
                    self._probe.count("treaty.commit.conflicts")
                    await self._back_off(conflicts)
                    head = await self._load(stream, fresh=True)
                    requests = await self._answer_repeats(stream, requests)
                    continue
                self._remember(draft.head)
            for request, outcome in [*draft.accepted, *draft.failed]:
                _waiting(request).resolve(outcome)
            if not draft.declined:
                return
            head, requests = await self._answer_declined(draft.head, draft.declined)

    async def _first_head(self, stream: str, requests: "Sequence[_Waiting[A]]") -> Head[A]:
        """Loads the head; for a stream that is probably new, the insert itself finds out."""
        if not requests[0].must_exist:
            return self._streams.blank(stream)
        return await self._load(stream)

    def _decide(self, head: Head[A], requests: "Sequence[_Waiting[A]]") -> Draft[A]:
        traces = [request.cause.trace for request in requests]
        with self._probe.span(f"decide {self._stored.stream}", parent=traces[0], links=traces[1:]):
            return self._decider.decide(head, requests, now=self._clock.now(), token=next(self._tokens))

    async def _append(self, commit: Commit) -> None:
        traces = [cause.trace for cause in commit.causes]
        attributes: dict[str, str | int | float | bool] = {
            "db.system.name": "mongodb",
            "db.operation.name": "insert",
            "db.collection.name": "commits",
            "treaty.commit.id": commit.id,
            "treaty.commit.causes": len(commit.causes),
        }
        name = f"commit {self._stored.stream}"
        self._probe.reach("commit.decided")
        with self._probe.span(name, kind="client", parent=traces[0], links=traces[1:], attributes=attributes):
            await self._log.append(commit)
        self._probe.reach("commit.durable")
        self._probe.measure("treaty.commit.commands", len(commit.causes))

    async def _back_off(self, conflicts: int) -> None:
        if conflicts > 1:
            await asyncio.sleep(self._chance.jitter(backoff(conflicts, 0.002, 0.1)))

    async def _answer_declined(
        self, decided_on: Head[A], declined: "Sequence[tuple[Request[A], Committed[A] | DomainError]]"
    ) -> "tuple[Head[A], Sequence[_Waiting[A]]]":
        """Answers refusals and no-ops, which wrote nothing: only if they are no repeats and the head has not moved.

        Otherwise a repeat of a withdrawal that took effect would be told "insufficient funds", and a stale cache
        would refuse for ever.
        """
        stream = decided_on.stream
        fresh, left = await asyncio.gather(
            self._load(stream, fresh=True),
            self._answer_repeats(stream, [_waiting(request) for request, _ in declined]),
        )
        if fresh.version != decided_on.version:
            return fresh, left
        for request, outcome in declined:
            _waiting(request).resolve(outcome)
        return fresh, ()

    async def _answer_repeats(self, stream: str, requests: "Sequence[_Waiting[A]]") -> "Sequence[_Waiting[A]]":
        """Answers the requests whose cause took effect before, and returns the others."""
        answers = await self._streams.answers(stream, [request.cause for request in requests])
        for request in requests:
            if request.cause.id in answers:
                request.resolve(answers[request.cause.id])
        return [request for request in requests if request.cause.id not in answers]

    async def _load(self, stream: str, *, fresh: bool = False) -> Head[A]:
        head = await self._streams.head(stream, fresh=fresh)
        known = self._heads.get(stream)
        if known is None or known.version < head.version:
            self._remember(head)
        return head if known is None or known.version <= head.version else known

    def _remember(self, head: Head[A]) -> None:
        """Caches a state that a majority is known to hold; no other may be cached."""
        self._heads[head.stream] = head
        self._heads.move_to_end(head.stream)
        if len(self._heads) > self._limits.cached:
            self._heads.popitem(last=False)


def _waiting(request: Request[A]) -> "_Waiting[A]":
    assert isinstance(request, _Waiting)
    return request
