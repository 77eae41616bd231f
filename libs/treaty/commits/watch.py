"""Watching: yields the states of one aggregate after each commit, in any process of the context."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog

from treaty.commits.codec import NeedsDeploy
from treaty.commits.commit import Commit, Committed
from treaty.commits.log import CommitLog
from treaty.commits.stored import Stored
from treaty.commits.streams import Streams
from treaty.concurrency.tasks import ended
from treaty.domain import Aggregate, NotFound

logger = structlog.get_logger()

A = TypeVar("A", bound=Aggregate[Any])


_AHEAD = 100
"""Commits that wait for a watcher. One that is further behind reads the stream."""

_AWAY_SECONDS = 5.0
"""Seconds between tries to read the log while it cannot be read."""


@dataclass(slots=True, eq=False)
class _Watcher:
    """The commits that wait for a watcher. It is `blind` if others may have come, and must read the stream then."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    coming: "deque[Commit]" = field(default_factory=deque)
    blind: bool = True

    def offer(self, commit: Commit) -> None:
        if len(self.coming) < _AHEAD:
            self.coming.append(commit)
            self.news.set()
        else:
            self.look()

    def look(self) -> None:
        """Makes the watcher read the stream."""
        self.blind = True
        self.coming.clear()
        self.news.set()


class Watch(Generic[A]):
    """Watches the aggregates of one kind.

    One task reads the log for all watchers; the first watcher starts it. A watcher that has the state before a commit
    applies its events; any other reads the stream. So a commit that is not handed over delays a state, and no state is
    lost.

    Args:
        look_every: seconds after which a watcher to which nothing was handed over reads the stream. All of them do so
            whenever the reading of the log begins again, so this is only for commits that could not be read.
    """

    def __init__(self, log: CommitLog, stored: Stored[A], *, look_every: float = 60.0) -> None:
        self._log, self._stored, self._look_every = log, stored, look_every
        self._streams = Streams(log, stored)
        self._watchers: dict[str, set[_Watcher]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._closed = False

    async def changes(self, id: str, *, after: int = 0) -> AsyncIterator[Committed[A]]:
        """Yields the state now, and then the state after every commit; with `after`, every state behind that version.

        It ends when the process drains. The watcher then continues in another process, behind the last version it
        received.

        Raises:
            NotFound: if there is no such aggregate.
        """
        stream = self._stored.stream_of(id)
        with self._told(stream) as watcher:
            last: Committed[A] | None = None
            if not after:
                head = await self._streams.head(stream, fresh=True)
                if not head.exists:
                    raise NotFound(f"{self._stored.kind.__name__} {id} does not exist")
                last = Committed(head.state, stream, head.version)
                yield last
                after = last.version
            while not self._closed:
                watcher.news.clear()
                while (change := await self._next(watcher, stream, after, last)) is not None:
                    last, after = change, change.version
                    yield change
                try:
                    async with asyncio.timeout(self._look_every):
                        await watcher.news.wait()
                except TimeoutError:
                    watcher.look()

    async def _next(self, watcher: _Watcher, stream: str, after: int, last: Committed[A] | None) -> Committed[A] | None:
        """Returns the state after the next version, or None if it has not come yet."""
        while watcher.coming and not watcher.blind:
            commit = watcher.coming.popleft()
            if commit.version <= after:
                continue
            if last is not None and commit.version == last.version + 1:
                with contextlib.suppress(NeedsDeploy):  # its snapshot may be readable
                    state = self._stored.fold(last.state.id, commit.events, onto=last.state)
                    return Committed(state, stream, commit.version)
            watcher.look()
        if not watcher.blind:
            return None
        watcher.blind = False  # before the read: what comes meanwhile may be handed over, or not
        past = await self._streams.at(stream, after + 1)
        if past is None:
            return None
        watcher.blind = True
        return Committed(past.state, stream, past.version)

    async def close(self) -> None:
        """Ends all watching."""
        self._closed = True
        self._wake_all()
        if self._reading is not None:
            await ended([self._reading])

    @contextlib.contextmanager
    def _told(self, stream: str) -> Iterator[_Watcher]:
        """Registers a watcher. The first watcher starts the task that reads the log; the last one stops it."""
        watcher = _Watcher()
        self._watchers.setdefault(stream, set()).add(watcher)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        try:
            yield watcher
        finally:
            self._watchers[stream].discard(watcher)
            if not self._watchers[stream]:
                del self._watchers[stream]
            if not self._watchers and self._reading is not None:
                self._reading.cancel()
                self._reading = None

    async def _read(self) -> None:
        while True:
            try:
                end = await self._log.end()
                self._wake_all()  # for the commits before `end`
                async with contextlib.aclosing(self._log.follow(end)) as batches:
                    async for batch in batches:
                        for commit in batch.commits:
                            for watcher in self._watchers.get(commit.stream, ()):
                                watcher.offer(commit)
            except Exception as away:
                logger.debug("the log cannot be read now; the watch tries again later", why=str(away))
                await asyncio.sleep(min(self._look_every, _AWAY_SECONDS))

    def _wake_all(self) -> None:
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.look()
