"""Tasks that belong together: when one ends, for any reason, the others end too; and work that waits for nothing."""

import asyncio
from collections.abc import Iterable
from typing import Any


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
    """Cancels tasks until they have ended.

    Once may not be enough: `asyncio.wait_for` of Python 3.11 drops a cancellation that comes together with its result,
    and a driver may mistake one for a broken connection.
    """
    tasks = list(tasks)
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1.0)
    await asyncio.gather(*tasks, return_exceptions=True)
