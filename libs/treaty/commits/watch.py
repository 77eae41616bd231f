"""Watching: yields the states of one aggregate after each commit, in any process of the context."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Generic, TypeVar

import structlog

from treaty.commits.commit import Committed
from treaty.commits.log import CommitLog
from treaty.commits.stored import Stored
from treaty.commits.streams import Streams
from treaty.domain import Aggregate, NotFound

logger = structlog.get_logger()

A = TypeVar("A", bound=Aggregate[Any])


class Watch(Generic[A]):
    """Watches the aggregates of one kind.

    One task reads the log for all watchers; the first watcher starts it. It only wakes the watchers, which then read
    the stream themselves. So a lost wake-up delays a state, and no state is lost.

    Args:
        look_every: seconds after which a watcher reads the stream without a wake-up.
    """

    def __init__(self, log: CommitLog, stored: Stored[A], *, look_every: float = 5.0) -> None:
        self._log, self._stored, self._look_every = log, stored, look_every
        self._streams = Streams(log, stored)
        self._news: dict[str, set[asyncio.Event]] = {}
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
        with self._told(stream) as news:
            if not after:
                head = await self._streams.head(stream, fresh=True)
                if not head.exists:
                    raise NotFound(f"{self._stored.kind.__name__} {id} does not exist")
                yield Committed(head.state, stream, head.version)
                after = head.version
            while not self._closed:
                news.clear()
                while (past := await self._streams.at(stream, after + 1)) is not None:
                    after += 1
                    yield Committed(past.state, stream, after)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._look_every):
                        await news.wait()

    async def close(self) -> None:
        """Ends all watching."""
        self._closed = True
        self._tell(*self._news)
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    @contextlib.contextmanager
    def _told(self, stream: str) -> Iterator[asyncio.Event]:
        """Registers a watcher. The first watcher starts the task that reads the log; the last one stops it."""
        news = asyncio.Event()
        self._news.setdefault(stream, set()).add(news)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        try:
            yield news
        finally:
            self._news[stream].discard(news)
            if not self._news[stream]:
                del self._news[stream]
            if not self._news and self._reading is not None:
                self._reading.cancel()
                self._reading = None

    async def _read(self) -> None:
        while True:
            try:
                end = await self._log.end()
                self._tell(*self._news)  # for the commits before `end`
                async with contextlib.aclosing(self._log.follow(end)) as batches:
                    async for batch in batches:
                        self._tell(*(commit.stream for commit in batch.commits))
            except Exception as away:
                logger.debug("the log cannot be read now; the watch tries again later", why=str(away))
                await asyncio.sleep(self._look_every)

    def _tell(self, *streams: str) -> None:
        for stream in streams:
            for news in self._news.get(stream, ()):
                news.set()
