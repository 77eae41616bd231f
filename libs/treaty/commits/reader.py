"""One reading of the log that holds the streams with open holes, and reads them again when their holes are closed.

A place passes a document that cannot be read once its hole is noted in the log. From then on every reading, whichever
follower it feeds and wherever it begins, leaves out the commits of the stream from the hole on. When it comes to the
closing of the hole, it reads them from the stream itself, before anything later. A reading that begins before a
closing, or too near to it to be sure, begins with that.
"""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from treaty.chance import Chance, retrying
from treaty.commits.commit import Commit, commit_id
from treaty.commits.holes import HOLES, Hole, holes_of, noted, opening
from treaty.commits.log import MARGIN_SECONDS, Batch, Place, StoreAway, Unreadable, VersionTaken
from treaty.commits.moments import first_from
from treaty.commits.store import CommitStore
from treaty.probes import Probe

logger = structlog.get_logger()

T = TypeVar("T")

_TOGETHER = 250
"""Commits of one stream that are read, and given to the followers, as one batch."""


class Reader:
    """One reading of a log, by the rules above.

    Args:
        append: appends to the log; it notes new holes.
    """

    def __init__(
        self, store: CommitStore, append: Callable[[Commit], Awaitable[None]], chance: Chance, probe: Probe
    ) -> None:
        self._store, self._append, self._chance, self._probe = store, append, chance, probe
        self._held: dict[str, int] = {}
        self._known: dict[str, Hole] = {}

    async def batches(self, place: Place) -> AsyncGenerator[Batch, None]:
        async for again in self._begin(place):
            yield again
        async with contextlib.aclosing(self._store.follow(place)) as following:
            async for batch in following:
                for found in batch.unreadable:
                    async for again in self._meet(found, place):
                        yield again
                for entry in [commit for commit in batch.commits if commit.stream.startswith(HOLES)]:
                    async for again in self._hear(entry, place):
                        yield again
                place = batch.place
                yield self._let_through(batch)

    def _let_through(self, batch: Batch) -> Batch:
        if not self._held and not batch.unreadable:
            return batch
        free = [c for c in batch.commits if c.stream not in self._held or c.version < self._held[c.stream]]
        return replace(batch, commits=free, unreadable=())

    async def _begin(self, place: Place) -> AsyncGenerator[Batch, None]:
        """Holds back the streams of open holes, and reads those again whose holes were closed behind the place.

        A place passes a closing only when the commits that were held back are done, so older closings need nothing.
        """
        since = (place.position[0] - MARGIN_SECONDS, 0)
        closed: dict[str, int] = {}
        for hole in holes_of(await self._ask(lambda: self._store.under(HOLES))):
            self._known[hole.stream] = hole
            if hole.is_open:
                self._held[hole.stream] = hole.version
            elif hole.closed >= since:
                closed[hole.stream] = min(hole.version, closed.get(hole.stream, hole.version))
        for stream, first in closed.items():
            async for again in self._read_again(stream, first, place):
                yield again

    async def _meet(self, found: Unreadable, place: Place) -> AsyncGenerator[Batch, None]:
        """Comes to a document that could not be read; by now it may be mended, skipped or gone."""
        if not found.stream:
            await self._note(found)
        elif found.version < self._held.get(found.stream, found.version + 1):
            async for again in self._read_again(found.stream, found.version, place):
                yield again

    async def _hear(self, entry: Commit, place: Place) -> AsyncGenerator[Batch, None]:
        """Comes to the opening or the closing of a hole."""
        before = self._known.get(entry.stream.removeprefix(HOLES))
        if before is not None and entry.version <= before.entry:
            return
        hole = noted(entry, before)
        if hole is None:
            return
        self._known[hole.stream] = hole
        if hole.is_open:
            self._held[hole.stream] = min(hole.version, self._held.get(hole.stream, hole.version))
        elif hole.stream in self._held:
            first = self._held.pop(hole.stream)
            async for again in self._read_again(hole.stream, first, place):
                yield again

    async def _read_again(self, stream: str, first: int, place: Place) -> AsyncGenerator[Batch, None]:
        """Yields the commits of a stream from a version on, up to its next hole, which is then held.

        It begins earlier if commits before that version may lie behind the place: their order is kept too.
        """
        version = await self._first_unread(stream, first, place)
        last = await self._ask(lambda: self._latest(stream))
        while version <= min(last, self._held.get(stream, last + 1) - 1):
            until = min(version + _TOGETHER - 1, last, self._held.get(stream, last + 1) - 1)
            commits, hole = await self._readable(stream, version, until)
            version += len(commits)
            if commits:
                yield Batch(commits, Place(), again=True)
            if hole is not None:
                await self._note(hole)

    async def _readable(self, stream: str, first: int, last: int) -> tuple[Sequence[Commit], Unreadable | None]:
        """Returns the commits up to the first that cannot be read or is missing, and that one."""
        hole = None
        try:
            commits = await self._ask(lambda: self._store.read(stream, first=first, last=last, states=False))
        except Unreadable as found:
            hole, before = found, found.version - 1
            commits = await self._ask(lambda: self._store.read(stream, first=first, last=before, states=False))
            last = before
        whole = [commit for index, commit in enumerate(commits) if commit.version == first + index]
        if len(whole) < last - first + 1:
            hole = Unreadable(commit_id(stream, first + len(whole)), "it is missing")
        return whole, hole

    async def _first_unread(self, stream: str, first: int, place: Place) -> int:
        """Returns the first version, up to `first`, that may lie behind a place."""
        since = (place.position[0] - MARGIN_SECONDS, 0)
        try:
            return await self._ask(lambda: first_from(self._store.read, stream, since, first))
        except Unreadable as found:
            return min(found.version, first)

    async def _latest(self, stream: str) -> int:
        """Returns the version of the head. It is as new as the primary, so it has all that any reading has seen."""
        try:
            head = await self._store.head(stream, fresh=True)
        except Unreadable as found:
            return found.version
        return head.version if head else 0

    async def _note(self, found: Unreadable) -> None:
        """Opens a hole in the log, unless that is done, and holds its stream from there on.

        If another reading has changed what is noted, this one only takes that over, and the caller looks again.
        """
        key = found.stream or found.id
        known = self._known.get(key)
        if known is None or not known.is_open or found.version < known.version:
            entry = opening(found, known)
            try:
                await self._ask(lambda: self._append(entry))
            except VersionTaken:
                latest = await self._noted_by_others(entry.stream)
                if latest is not None and latest != known:
                    self._known[key] = latest
                    self._hold(latest)
                    return
            self._probe.count("treaty.holes.opened")
            logger.error("a commit cannot be read", commit=found.id, why=found.why, holds=found.stream or "nothing")
            [known] = holes_of([entry])
            self._known[key] = known
        self._hold(known)

    def _hold(self, hole: Hole) -> None:
        if hole.stream and hole.is_open:
            self._held[hole.stream] = hole.version

    async def _noted_by_others(self, entries: str) -> Hole | None:
        found = await self._ask(lambda: self._store.under(entries))
        return next((hole for hole in reversed(holes_of(found)) if hole.entries == entries), None)

    async def _ask(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Asks the store until it answers, as a reading of the log waits for the store too."""
        async for _ in retrying(self._chance, first=0.1, most=3.0):
            try:
                return await ask()
            except StoreAway as away:
                logger.debug("the log is read later", why=str(away))
        raise AssertionError("attempts never end")
