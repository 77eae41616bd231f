"""Reads of one stream: its head, its past states, and the first answers to causes that took effect before."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Generic, TypeVar

import structlog

from treaty.causes import Cause
from treaty.commits.commit import CauseEntry, Commit, Committed
from treaty.commits.decider import Head, refusal_from
from treaty.commits.folds import Folds
from treaty.commits.log import CommitLog
from treaty.commits.moments import version_at
from treaty.commits.stored import Stored
from treaty.domain import Aggregate, DomainError, Invalid, NotFound

logger = structlog.get_logger()

A = TypeVar("A", bound=Aggregate[Any])

_CORRELATIONS = 5000
"""Streams whose correlation is kept in memory."""


class RequestReused(Invalid):
    """The request id was used before with another body."""

    reason = "REQUEST_ID_REUSED"

    def __init__(self, cause: str) -> None:
        super().__init__(f"{cause} was used before with another body: choose a new request id", field="request_id")


def _has_same_body(entry: CauseEntry, cause: Cause) -> bool:
    """Returns whether a request has the body of the one that took effect, by their digests.

    If the first digest has a key that is gone, this cannot be known. Then the request counts as a repeat: its client
    gets the first answer, and nothing takes effect twice.
    """
    if entry.digest == cause.digest:
        return True
    if not entry.digest_key:
        return entry.digest in cause.digests_before.values()
    known = {cause.digest_key: cause.digest, **cause.digests_before}.get(entry.digest_key)
    if known is None and cause.digest:
        logger.warning(
            "a repeat cannot be compared with the first request: the key of its digest is gone", cause=cause.id
        )
        return True
    return known == entry.digest


class Streams(Generic[A]):
    """Reads the streams of one kind of aggregate. No state is cached here."""

    def __init__(self, log: CommitLog, stored: Stored[A]) -> None:
        self._log, self._stored = log, stored
        self._folds = Folds(log, stored)
        self._correlations: OrderedDict[str, str] = OrderedDict()

    def blank(self, stream: str) -> Head[A]:
        """Returns the head of a stream without commits."""
        return Head(stream, self._stored.blank(self._stored.id_of(stream)))

    async def head(self, stream: str, *, fresh: bool = False) -> Head[A]:
        """Returns the head of a stream; `fresh` is as in `CommitLog.head`."""
        commit = await self._log.head(stream, fresh=fresh)
        if commit is None:
            return self.blank(stream)
        return await self._head_of(commit)

    async def _head_of(self, commit: Commit) -> Head[A]:
        state = await self._state_after(commit)
        return Head(commit.stream, state, commit.version, commit.sequence, await self._exists(commit, state))

    async def at(self, stream: str, version: int) -> Head[A] | None:
        """Returns the stream as it was at a version, or None if it has no such version yet."""
        found = await self._log.read(stream, first=version, last=version)
        return await self._head_of(found[0]) if found else None

    async def as_of(self, stream: str, moment: datetime) -> Head[A] | None:
        """Returns the stream as it was at a moment of the server's clock (in whole seconds), or None before."""
        version = await version_at(self._log, stream, moment)
        return await self.at(stream, version) if version else None

    async def past(self, id: str, version: int, moment: datetime | None) -> Committed[A]:
        """Returns an aggregate as it was at `moment` if it is given, or else at `version`.

        Raises:
            NotFound: if it did not exist then.
        """
        stream = self._stored.stream_of(id)
        head = await (self.at(stream, version) if moment is None else self.as_of(stream, moment))
        if head is None or not head.exists:
            when = f"in version {version}" if moment is None else f"at {moment.isoformat()}"
            raise NotFound(f"{self._stored.kind.__name__} {id} does not exist {when}")
        return Committed(head.state, stream, head.version)

    async def continued(self, stream: str, cause: Cause) -> Cause:
        """Returns a cause with the correlation of the stream's first one; unchanged if the stream is new."""
        correlation = self._correlations.get(stream)
        if correlation is None:
            found = await self._log.read(stream, first=1, last=1, states=False)
            if not found:
                return cause
            first = found[0].causes[0]
            correlation = self._remember(stream, first.correlation or first.id)
        return replace(cause, correlation=correlation)

    def _remember(self, stream: str, correlation: str) -> str:
        """Keeps the correlation of a stream, which never changes."""
        self._correlations[stream] = correlation
        if len(self._correlations) > _CORRELATIONS:
            self._correlations.popitem(last=False)
        return correlation

    async def answers(self, stream: str, causes: Sequence[Cause]) -> Mapping[str, Committed[A] | DomainError]:
        """Returns {cause's id: its first answer} for the causes that took effect on the stream."""
        commits = await self._log.caused_by(stream, [cause.id for cause in causes])
        before = {entry.id: (commit, entry) for commit in commits for entry in commit.causes}
        return {cause.id: await self._answer(cause, *before[cause.id]) for cause in causes if cause.id in before}

    async def _answer(self, cause: Cause, commit: Commit, entry: CauseEntry) -> Committed[A] | DomainError:
        """Returns the answer, from the state before the commit and the commit's events up to the cause's own."""
        if not _has_same_body(entry, cause):
            return RequestReused(cause.id)
        if entry.refusal is not None:
            return refusal_from(entry.refusal)
        before = await self._state_before(commit)
        end = sum(other.events for other in commit.causes[: commit.causes.index(entry) + 1])
        state = self._stored.fold(before.id, commit.events[:end], onto=before)
        own = (self._stored.events.decode(event) for event in commit.events[end - entry.events : end])
        return Committed(state, commit.stream, commit.version, tuple(own))

    async def _state_before(self, commit: Commit) -> A:
        if commit.version == 1:
            return self._stored.blank(self._stored.id_of(commit.stream))
        [before] = await self._log.read(commit.stream, first=commit.version - 1, last=commit.version - 1)
        return await self._state_after(before)

    async def _state_after(self, commit: Commit) -> A:
        """Returns the snapshot of a commit, or folds the events if another version of the code wrote the snapshot."""
        state = self._stored.restore(commit.state)
        if state is not None:
            return state
        return (await self._folds.after(commit.stream, commit.version)).state

    async def _exists(self, commit: Commit, state: A) -> bool:
        """Returns whether the stream has an event; a refused message leaves a commit without one."""
        if commit.events or state != self._stored.blank(state.id):
            return True
        if commit.version == 1:
            return False
        return (await self._folds.after(commit.stream, commit.version)).exists
