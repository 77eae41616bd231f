"""Folding long streams: in parts, one at a time for each stream, and from the state that an earlier fold kept.

A snapshot has the shape of the code that wrote it. After a deploy with another shape the whole stream is folded once;
what is kept then, by shape, is where later folds begin, so two versions of the code never fold it all in turn.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from treaty.commits.commit import Fold
from treaty.commits.log import CommitLog, StoreAway
from treaty.commits.stored import Stored
from treaty.domain import Aggregate

logger = structlog.get_logger()

A = TypeVar("A", bound=Aggregate[Any])

_TOGETHER = 250
"""Commits that are read and folded at once, without their states."""

_KEEP_EVERY = 1000
"""Versions between two states that a fold keeps on its way."""

_WORTH_KEEPING = 100
"""A fold of so many commits keeps its end too."""


@dataclass(frozen=True, slots=True)
class Folded(Generic[A]):
    """The state of an aggregate after a version, and whether the stream has an event up to there."""

    state: A
    exists: bool


class Folds(Generic[A]):
    """Folds the streams of one kind of aggregate."""

    def __init__(self, log: CommitLog, stored: Stored[A]) -> None:
        self._log, self._stored = log, stored
        self._under_way: dict[str, tuple[int, asyncio.Task[Folded[A]]]] = {}

    async def after(self, stream: str, version: int) -> Folded[A]:
        """Returns a stream's state after a version. Callers share a fold; it goes on if they give up."""
        while (under_way := self._under_way.get(stream)) is not None:
            if under_way[0] == version:
                return await asyncio.shield(under_way[1])
            await asyncio.wait([under_way[1]])
        task = asyncio.create_task(self._fold(stream, version))
        self._under_way[stream] = (version, task)
        task.add_done_callback(lambda done: self._end(stream, done))
        return await asyncio.shield(task)

    def _end(self, stream: str, task: "asyncio.Task[Folded[A]]") -> None:
        del self._under_way[stream]
        if not task.cancelled():
            task.exception()  # marks it as retrieved: no warning if every caller gave up

    async def _fold(self, stream: str, version: int) -> Folded[A]:
        done, folded = await self._begin(stream, version)
        begun = done
        while done < version:
            until = min(version, done - done % _KEEP_EVERY + _KEEP_EVERY)
            commits = await self._log.read(stream, first=done + 1, last=until, states=False, most=_TOGETHER)
            if not commits:
                break
            events = [event for commit in commits for event in commit.events]
            state = self._stored.fold(folded.state.id, events, onto=folded.state)
            folded, done = Folded(state, folded.exists or bool(events)), commits[-1].version
            if done % _KEEP_EVERY == 0 or (done == version and done - begun >= _WORTH_KEEPING):
                await self._keep(stream, done, folded)
        return folded

    async def _begin(self, stream: str, version: int) -> tuple[int, Folded[A]]:
        kept = await self._log.kept(stream, self._stored.fingerprint, version)
        state = self._stored.restore(kept.state) if kept is not None else None
        if kept is None or state is None:
            return 0, Folded(self._stored.blank(self._stored.id_of(stream)), False)
        return kept.version, Folded(state, kept.exists)

    async def _keep(self, stream: str, version: int, folded: Folded[A]) -> None:
        """Keeps a state. It saves time later, so the fold goes on if that fails."""
        snapshot = self._stored.snapshot(folded.state)
        with contextlib.suppress(StoreAway):
            await self._log.keep(Fold(stream, self._stored.fingerprint, version, snapshot, folded.exists))
            logger.info("the state of a long stream is kept", stream=stream, version=version)
