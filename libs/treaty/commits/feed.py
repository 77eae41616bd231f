"""Feeds: yield the state of every aggregate of one kind after each commit, in the order of the log.

One task reads the log for all watchers of a process; the first watcher starts it. A watcher that continues behind a
place reads what it has missed by itself, until it is as far as the task, and from then on receives what the task reads;
so a thousand watchers that come again after a deployment read the log once each, and then all together. When
the task fails, such as at a commit of a newer version of the code, its watchers end with its error. A watcher that
comes again behind its last place misses nothing, and meets the same error until a process can read the commit.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog

from treaty.commits.commit import Commit, Committed
from treaty.commits.entries import Entry, Part, Spot
from treaty.commits.log import MARGIN_SECONDS, Batch, CommitLog, Place, StoreAway, Unreadable
from treaty.commits.repository import Overloaded
from treaty.commits.stored import Stored
from treaty.commits.streams import Streams
from treaty.concurrency.tasks import ended
from treaty.domain import Aggregate, Rejected

logger = structlog.get_logger()

A = TypeVar("A", bound=Aggregate[Any])

_CATCHING_UP = 8
"""Readings of what watchers have missed that wait for the store at a time; the driver has a few dozen threads."""


class TooFarBehind(Overloaded):
    """A watcher does not take the entries as fast as they come, and was cut off."""


@dataclass(slots=True, eq=False)
class Watching(Generic[A]):
    """A watcher of a feed. `place` is where it begins."""

    place: str
    _feed: "Feed[A]"
    _reading: "_Reading[A]"
    _missed: Spot | None
    _ahead: int
    _waiting: "deque[Entry[A]]" = field(default_factory=deque)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _cut: bool = False
    _error: Exception | None = None
    _read: str = ""
    _last: frozenset[str] = frozenset()

    def offer(self, entry: "Entry[A]", place: Place) -> None:
        """Adds an entry, unless it was read already. A watcher that is too far behind is cut off.

        While a watcher catches up, the oldest is dropped: it reads that itself.

        Args:
            place: behind the batch of the entry.
        """
        if entry.committed.revision in self._last or "" < place.token <= self._read:
            return
        if len(self._waiting) >= self._ahead:
            self._cut = self._missed is None
            self._waiting.popleft()
        self._waiting.append(entry)
        self._news.set()

    def wake(self) -> None:
        self._news.set()

    def fail(self, error: Exception) -> None:
        """Ends the watching with an error, behind the entries that wait."""
        self._error = error
        self._news.set()

    async def entries(self) -> AsyncGenerator["Entry[A]", None]:
        """Yields entries until the process drains; the watcher then continues in another process.

        Raises:
            TooFarBehind: if the watcher does not take them as fast as they come.
            Rejected: if the log can no longer continue behind the place.
            Newer: if only a later version of the code can read the next commit.
        """
        if self._missed is not None:
            async with aclosing(self._catch_up(self._missed)) as missed:
                async for entry in missed:
                    yield entry
        while not self._feed.closed:
            if self._cut:
                raise TooFarBehind("the entries were not taken as fast as they came; watch again behind the last place")
            while self._waiting and not self._cut:
                yield self._waiting.popleft()
            if self._error is not None:
                raise self._error
            self._news.clear()
            if not self._waiting and not self._feed.closed:
                await self._news.wait()

    async def _catch_up(self, spot: Spot) -> AsyncGenerator["Entry[A]", None]:
        """Reads the log behind a spot until the watcher is as far as the task that reads for all."""
        async with aclosing(self._feed.behind(spot)) as batches:
            while not self._feed.closed:
                part = await self._next(batches)
                if part is None or (len(part.entries) <= self._ahead // 2 and self._join(spot, part, part.entries)):
                    return
                for entry in part.entries:
                    yield entry
                if self._join(spot, part):
                    return

    async def _next(self, batches: AsyncGenerator[Part[A], None]) -> Part[A] | None:
        """Returns the next part of what was missed, or None if the process drains meanwhile."""
        coming = asyncio.ensure_future(anext(batches))
        try:
            while not coming.done() and not self._feed.closed:
                self._news.clear()
                news = asyncio.ensure_future(self._news.wait())
                await asyncio.wait({coming, news}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
            return coming.result() if coming.done() else None
        finally:
            await ended([coming])

    def _join(self, spot: Spot, part: Part[A], waiting: "Sequence[Entry[A]]" = ()) -> bool:
        """Lets the watcher receive what the task reads from now on, if each has read what the other one has not.

        All that the task has offered so far lies before the place where this watcher is. What the task reads next
        begins behind the spot, so what was read twice of it is in the part.
        """
        if not spot.place.token <= self._reading.place.token <= part.place.token:
            return False
        self._read, self._last = part.place.token, part.revisions
        self._waiting = deque(waiting)
        self._missed = None
        return True


class _Reading(Generic[A]):
    """The task that reads for the watchers that came while it ran, and the place at which it began.

    Attributes:
        place: behind the batch whose entries are being offered, or were offered last.
    """

    def __init__(self, read: "Callable[[_Reading[A]], Coroutine[Any, Any, None]]") -> None:
        self.watchers: set[Watching[A]] = set()
        self.place = Place()
        self.begun: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(read(self))
        self.task.add_done_callback(self._end)

    def _end(self, task: "asyncio.Task[None]") -> None:
        failed = None if task.cancelled() else task.exception()
        error = failed if isinstance(failed, Exception) else StoreAway("the reading of the feed has ended")
        if self.watchers:
            logger.error("a feed cannot be read on, and its watchers end", watchers=len(self.watchers), exc_info=failed)
        for watching in self.watchers:
            watching.fail(error)
        if not self.begun.done():
            self.begun.set_exception(error)
            self.begun.exception()  # marks it as retrieved: its watchers may be gone

    def offer(self, entry: "Entry[A]", place: Place) -> None:
        for watching in self.watchers:
            watching.offer(entry, place)


class Feed(Generic[A]):
    """The feed of the aggregates of one kind.

    Args:
        ahead: the most entries that wait for a watcher, before it is cut off.
    """

    def __init__(self, log: CommitLog, stored: Stored[A], *, ahead: int = 1000) -> None:
        self._log, self._stored, self._ahead = log, stored, ahead
        self._streams = Streams(log, stored)
        self._turns = asyncio.Semaphore(_CATCHING_UP)
        self._reading: _Reading[A] | None = None
        self.closed = False

    @asynccontextmanager
    async def watch(self, after: str = "") -> AsyncIterator[Watching[A]]:
        """Registers a watcher inside the block. It begins behind the place `after`, or now.

        Raises:
            Invalid: if `after` is not a place of a feed.
        """
        missed = Spot.parse(after) if after else None
        reading = self._start()
        watching: Watching[A] = Watching(after, self, reading, missed, self._ahead)
        reading.watchers.add(watching)
        try:
            now = await asyncio.shield(reading.begun)
            watching.place = watching.place or str(Spot(now))
            yield watching
        finally:
            reading.watchers.discard(watching)
            if not reading.watchers:
                await self._stop(reading)

    async def close(self) -> None:
        """Ends all watching."""
        self.closed = True
        if self._reading is not None:
            for watching in self._reading.watchers:
                watching.wake()
            self._reading.watchers.clear()
            await self._stop(self._reading)

    async def behind(self, spot: Spot) -> AsyncGenerator[Part[A], None]:
        """Yields the entries behind a spot.

        Raises:
            Rejected: if the log no longer has the history from there on.
        """
        place, last = spot.place, (spot.position[0] + MARGIN_SECONDS, 0)
        is_behind = not spot.commit
        async with aclosing(self._log.follow(place)) as batches:
            while True:
                async with self._turns:
                    batch = await anext(batches)
                    if batch.again:
                        raise Rejected(
                            "the place is too old: list what there is, and watch from now on", reason="PLACE_LOST"
                        )
                    own, new = self._own(batch), []
                    for commit in own:
                        if is_behind or commit.position > last:
                            new.append(commit)
                        is_behind = is_behind or _revision(commit) == spot.commit
                    entries = [entry async for entry in self._entries(place, new)]
                yield Part(batch.place, entries, frozenset(map(_revision, own)))
                place = batch.place

    def _start(self) -> _Reading[A]:
        """Returns the reading, or a new one. No watcher of one that has ended is joined to the next: it would miss some
        commits."""
        if self._reading is None or self._reading.task.done():
            self._reading = _Reading(self._read)
        return self._reading

    async def _stop(self, reading: _Reading[A]) -> None:
        if self._reading is reading:
            self._reading = None
        await ended([reading.task])

    async def _read(self, reading: _Reading[A]) -> None:
        place = reading.place = await self._end()
        reading.begun.set_result(place)
        offered: set[str] = set()  # behind the place: they come again if the store was away in the middle of a batch
        while True:
            with contextlib.suppress(StoreAway):
                async with aclosing(self._log.follow(place)) as batches:
                    async for batch in batches:
                        if not batch.again:
                            reading.place = batch.place
                        async for entry in self._entries(place, self._own(batch)):
                            if entry.committed.revision not in offered:
                                reading.offer(entry, batch.place)
                                offered.add(entry.committed.revision)
                        if not batch.again:
                            place = batch.place
                            offered.clear()
            reading.place = place
            await asyncio.sleep(1.0)

    async def _end(self) -> Place:
        while True:
            with contextlib.suppress(StoreAway):
                return await self._log.end()
            await asyncio.sleep(1.0)

    def _own(self, batch: Batch) -> Sequence[Commit]:
        return [commit for commit in batch.commits if self._stored.owns(commit.stream) and commit.events]

    async def _entries(self, place: Place, commits: Sequence[Commit]) -> AsyncIterator[Entry[A]]:
        for commit in commits:
            try:
                past = await self._streams.at(commit.stream, commit.version)
            except Unreadable as hole:
                logger.warning("a feed leaves out a commit that cannot be read", commit=commit.id, why=str(hole))
                continue
            if past is not None:
                committed = Committed(past.state, commit.stream, commit.version)
                yield Entry(committed, str(Spot(place, committed.revision, commit.position)))


def _revision(commit: Commit) -> str:
    return f"{commit.stream}@{commit.version}"
