"""Lanes: work of one key runs in order; work of different keys runs in parallel."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from treaty.concurrency.guarded import guarded
from treaty.concurrency.tasks import ended

logger = structlog.get_logger()

Work = Callable[[], Awaitable[None]]


class Lanes:
    """Runs pieces of work for each key in the order of their submission.

    A piece must not raise. If one does, the later work of its key stays undone, since it would overtake that piece.

    Attributes:
        failed: set when a piece has raised: then the owner has to begin again, with other lanes.
    """

    def __init__(self) -> None:
        self._queues: dict[str, deque[Work]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self.failed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._queues)

    def submit(self, key: str, work: Work) -> None:
        """Runs the work after all earlier work of the key; has no effect once this is closed."""
        if self._closed:
            return
        queue = self._queues.get(key)
        if queue is not None:
            queue.append(work)
            return
        self._queues[key] = deque([work])
        task = asyncio.create_task(self._run(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def behind_all(self, work: Work) -> Work:
        """Returns work that first waits until all work submitted so far, for any key, is over."""
        over = [asyncio.Event() for _ in self._queues]
        for key, event in zip(list(self._queues), over, strict=True):
            self.submit(key, partial(_tell, event))

        async def then() -> None:
            for event in over:
                await event.wait()
            await work()

        return then

    async def drain(self) -> None:
        """Waits until no work is left."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def drop(self) -> None:
        """Drops the work that has not started, cancels the work that has, and waits until it is over."""
        for queue in self._queues.values():
            queue.clear()
        while self._tasks:
            await ended(self._tasks)

    async def close(self) -> None:
        """Drops all work, and accepts no more.

        Without this, work that arrives while a cancelled piece of its key ends would overtake that piece.
        """
        self._closed = True
        await self.drop()

    async def _run(self, key: str) -> None:
        queue = self._queues[key]
        try:
            while queue:
                await guarded(queue.popleft()())
        except Exception:
            logger.exception("a piece of work has failed, and the later ones of its key wait", key=key)
            self.failed.set()
        except BaseException:
            del self._queues[key]
            raise
        else:
            del self._queues[key]


async def _tell(event: asyncio.Event) -> None:
    event.set()
