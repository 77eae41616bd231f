"""Work of others: what it raises is an error of that work, and never ends the task that does it."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from treaty.concurrency.tasks import Broken

T = TypeVar("T")

HANDLER_SECONDS = 180.0
"""How long a handler of a message or of a call may take, unless a setting says something else."""


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

    Raises:
        TookTooLong
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            return await guarded(work)
    except TimeoutError:
        if not limit.expired():
            raise
        raise TookTooLong(f"it did not end within {seconds:g} s") from None
