"""The writer: settles the commands on one stream. A commit that loses a race is decided again on newer state."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, repeat
from typing import Any, Generic, TypeVar

from treaty.chance import retrying
from treaty.commits.commit import Commit, Committed
from treaty.commits.decider import Decider, Draft, Head, Request
from treaty.commits.log import CommitLog, CommitRefused, VersionTaken
from treaty.commits.streams import Streams
from treaty.concurrency.guarded import guarded
from treaty.domain import Aggregate, DomainError
from treaty.surroundings import Surroundings

A = TypeVar("A", bound=Aggregate[Any])


@dataclass(eq=False, slots=True)
class Asked(Request[A]):
    """A command, and the future of its answer."""

    answer: "asyncio.Future[Committed[A]]"

    def resolve(self, outcome: Committed[A] | Exception) -> None:
        """Sets the answer, unless it is set already."""
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
            self.answer.exception()  # marks it as retrieved: no warning if the caller gave up
        else:
            self.answer.set_result(outcome)


class Writer(Generic[A]):
    """Decides commands on the latest durable state of their stream, commits, and answers each one when that is safe.

    Args:
        cached: the number of streams whose latest durable state is kept in memory.
    """

    def __init__(
        self, log: CommitLog, streams: Streams[A], decider: Decider[A], *, surroundings: Surroundings, cached: int
    ) -> None:
        self._log, self._streams, self._decider = log, streams, decider
        self._clock, self._chance, self._probe = surroundings.clock, surroundings.chance, surroundings.probe
        self._cached = cached
        self._tokens = map("{}-{}".format, repeat(surroundings.ids.new()), count())
        self._heads: OrderedDict[str, Head[A]] = OrderedDict()

    async def settle(self, stream: str, requests: Sequence[Asked[A]]) -> None:
        """Decides and commits until every command has its answer or its error."""
        try:
            await guarded(self._settle_all(stream, requests))
        except CommitRefused as refused:
            await self._settle_apart(stream, requests, refused)
        except Exception as fault:
            self._heads.pop(stream, None)
            for request in requests:
                request.resolve(fault)

    async def _settle_apart(self, stream: str, requests: Sequence[Asked[A]], refused: CommitRefused) -> None:
        """Settles the commands one by one: a commit that is too large may fit in several parts."""
        if len(requests) == 1:
            requests[0].resolve(refused)
            return
        for request in requests:
            if not request.answer.done():
                await self.settle(stream, [request])

    async def _settle_all(self, stream: str, requests: Sequence[Asked[A]]) -> None:
        head = self._heads.get(stream) or await self._first_head(stream, requests)
        conflicts = retrying(self._chance, first=0.008, most=0.1)
        while requests:
            draft = self._decide(head, requests)
            if draft.commit is not None:
                try:
                    await self._append(draft.commit)
                except VersionTaken:
                    self._heads.pop(stream, None)
                    self._probe.count("treaty.commit.conflicts")
                    await anext(conflicts)
                    head = await self.load(stream, fresh=True)
                    requests = await self._answer_repeats(stream, requests)
                    continue
                self._remember(draft.head)
            for request, outcome in [*draft.accepted, *draft.failed]:
                request.resolve(outcome)
            if not draft.declined:
                return
            head, requests = await self._answer_declined(draft.head, draft.declined)

    async def _first_head(self, stream: str, requests: Sequence[Asked[A]]) -> Head[A]:
        """Loads the head. For a probably new stream, returns a blank head; the insert fails if it is not new."""
        if not requests[0].must_exist:
            return self._streams.blank(stream)
        return await self.load(stream)

    def _decide(self, head: Head[A], requests: Sequence[Asked[A]]) -> Draft[A, Asked[A]]:
        traces = [request.cause.trace for request in requests]
        with self._probe.span(f"decide {self._decider.stored.stream}", parent=traces[0], links=traces[1:]):
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
        name = f"commit {self._decider.stored.stream}"
        self._probe.reach("commit.decided")
        with self._probe.span(name, kind="client", parent=traces[0], links=traces[1:], attributes=attributes):
            await self._log.append(commit)
        self._probe.reach("commit.durable")
        self._probe.measure("treaty.commit.commands", len(commit.causes))

    async def _answer_declined(
        self, decided_on: Head[A], declined: Sequence[tuple[Asked[A], Committed[A] | DomainError]]
    ) -> tuple[Head[A], Sequence[Asked[A]]]:
        """Answers refusals and no-ops, which wrote nothing, if they are no repeats and the head has not moved.

        Without the first check, a repeat of a withdrawal that took effect would get "insufficient funds". Without the
        second, a stale cache would refuse for ever. The head comes first: a new primary may not show a commit yet until
        a majority has it, and the fresh head waits for that.
        """
        fresh = await self.load(decided_on.stream, fresh=True)
        left = await self._answer_repeats(decided_on.stream, [request for request, _ in declined])
        if fresh.version != decided_on.version:
            return fresh, left
        for request, outcome in declined:
            request.resolve(outcome)
        return fresh, ()

    async def _answer_repeats(self, stream: str, requests: Sequence[Asked[A]]) -> Sequence[Asked[A]]:
        """Answers the requests whose cause took effect before, and returns the other requests."""
        answers = await self._streams.answers(stream, [request.cause for request in requests])
        for request in requests:
            if request.cause.id in answers:
                request.resolve(answers[request.cause.id])
        return [request for request in requests if request.cause.id not in answers]

    async def load(self, stream: str, *, fresh: bool = False) -> Head[A]:
        """Returns the head of a stream; `fresh` is as in `CommitLog.head`."""
        head = await self._streams.head(stream, fresh=fresh)
        known = self._heads.get(stream)
        if known is None or known.version < head.version:
            self._remember(head)
        return head if known is None or known.version <= head.version else known

    def _remember(self, head: Head[A]) -> None:
        """Caches a state that is durable on a majority; no other state may be cached."""
        self._heads[head.stream] = head
        self._heads.move_to_end(head.stream)
        if len(self._heads) > self._cached:
            self._heads.popitem(last=False)
