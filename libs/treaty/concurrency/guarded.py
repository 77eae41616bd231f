"""Work of others: what it raises is an error of that work, and never ends the task that does it."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from treaty.concurrency.tasks import Broken

T = TypeVar("T")


async def guarded(work: Awaitable[T]) -> T:
    """Awaits work of a handler, a policy or a client library.

    Raises:
        Broken: if it was cancelled although nobody cancelled this task, or raised something that is no `Exception`,
            such as a panic of a native library.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        return await work
    except (Exception, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except asyncio.CancelledError:
        if task is not None and task.cancelling() > before:
            raise
        raise Broken("it was cancelled from within") from None
    except BaseException as fault:
        raise Broken(f"{type(fault).__name__}: {fault}") from fault
