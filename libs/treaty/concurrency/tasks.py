"""Tasks that belong together: when one ends, for any reason, the others end too; and work that waits for nothing."""

import asyncio
from collections.abc import Iterable
from typing import Any

_AGAIN_SECONDS = 20.0


class Broken(Exception):
    """A task was cancelled from within. As a plain cancellation, it would look like one that the caller requested."""


async def at_once() -> None:
    """Returns at once, for work that has nothing to wait for."""


async def until_one_ends(*tasks: "asyncio.Task[None]") -> None:
    """Waits for the first task to end, cancels the others, and raises the first task's exception.

    Raises:
        Broken: if the first task was cancelled, and not because the caller was cancelled.
    """
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in done:
                if task.cancelled():
                    raise Broken(f"{task.get_coro()} was cancelled from within")
                task.result()
    finally:
        await ended(tasks)


async def ended(tasks: "Iterable[asyncio.Future[Any]]") -> None:
    """Cancels tasks, and waits until all have ended, also if this is cancelled meanwhile: then they are again too.

    A task that goes on for long is cancelled again: `asyncio.wait_for` of Python 3.11 drops a cancellation that comes
    together with its result. What a task does at its end must not take as long as that.
    """
    tasks = list(tasks)
    left, interrupted = set(tasks), False
    while left:
        for task in left:
            task.cancel()
        try:
            await asyncio.wait(left, timeout=_AGAIN_SECONDS)
        except asyncio.CancelledError:
            interrupted = True
        left = {task for task in left if not task.done()}
    for task in tasks:
        if not task.cancelled():
            task.exception()  # marks it as retrieved
    if interrupted:
        raise asyncio.CancelledError
