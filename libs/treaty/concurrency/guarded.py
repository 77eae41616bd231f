"""Work of others: what it raises is an error of that work, and never ends the task that does it."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from treaty.concurrency.tasks import Broken

T = TypeVar("T")

HANDLER_SECONDS = 180.0
"""How long a handler of a message or of a call may take, unless a setting says something else."""

_SLICES = 20


@contextmanager
def guarding() -> Iterator[None]:
    """Guards a block that awaits work of a handler, a policy or a client library.

    Raises:
        Broken: if the work was cancelled although nobody cancelled this task, or raised something that is no
            `Exception`, such as a panic of a native library.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        yield
    except (Exception, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except asyncio.CancelledError as cancelled:
        if task is not None and task.cancelling() > before:
            raise
        raise Broken("it was cancelled from within") from cancelled
    except BaseException as fault:
        raise Broken(f"{type(fault).__name__}: {fault}") from fault


async def guarded(work: Awaitable[T]) -> T:
    """Awaits work, and raises what `guarding` does."""
    with guarding():
        return await work


class TookTooLong(Exception):
    """Work was cancelled because it had not ended in its time."""


async def guarded_for(seconds: float, work: Awaitable[T]) -> T:
    """Awaits work as `guarded` does, but not longer than so many seconds.

    Seconds while the process stands still do not count, but for a twentieth: the work could not use them.

    Raises:
        TookTooLong
    """
    try:
        async with asyncio.timeout(None) as limit:
            countdown = _Countdown(limit, seconds)
            try:
                return await guarded(work)
            finally:
                countdown.stop()
    except TimeoutError:
        if not limit.expired():
            raise
        raise TookTooLong(f"it did not end within {seconds:g} s") from None


class _Countdown:
    """Ends a limit after so many seconds, counted in slices: one counts for one, however late its end is noticed."""

    def __init__(self, limit: asyncio.Timeout, seconds: float) -> None:
        self._limit, self._slice, self._left = limit, seconds / _SLICES, _SLICES
        self._timer = asyncio.get_running_loop().call_later(self._slice, self._count)

    def _count(self) -> None:
        loop = asyncio.get_running_loop()
        self._left -= 1
        if self._left > 0:
            self._timer = loop.call_later(self._slice, self._count)
        else:
            self._limit.reschedule(loop.time())

    def stop(self) -> None:
        self._timer.cancel()
