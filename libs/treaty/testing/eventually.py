"""Helpers that wait in tests for a condition, not for a time."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

_HANGS_SECONDS = 120.0
"""A condition that has not returned after so long is given up, or after the time within which it shall be true."""


@overload
async def eventually(condition: Callable[[], Awaitable[T]], *, within: float = ...) -> T: ...
@overload
async def eventually(condition: Callable[[], T], *, within: float = ...) -> T: ...


async def eventually(condition: Callable[[], Any], *, within: float = 20.0) -> Any:
    """Returns the first true value of a condition; fails if there is none in time.

    Args:
        condition: a function, or an async function, without effects.
        within: seconds after which it fails; a large value is fine, because a passing test does not wait for it.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        if value := await _value(condition, within):
            return value
        if loop.time() > deadline:
            raise AssertionError(f"not within {within} s: {_text(condition)}")
        await asyncio.sleep(0.005)


async def while_moving(
    condition: Callable[[], Any], progress: Callable[[], Any], *, still: float = 30.0, within: float = 600.0
) -> Any:
    """Returns the first true value of a condition; waits as long as there is progress.

    Args:
        condition: a function, or an async function, without effects.
        progress: a function, or an async function, whose value changes while work goes on, such as numbers of commits
            and depths of queues.
        still: seconds without a change of `progress` after which it fails.
        within: seconds after which it fails in any case.
    """
    loop = asyncio.get_running_loop()
    begun = moved = looked = loop.time()
    seen = None
    while True:
        if value := await _value(condition, within):
            return value
        if loop.time() - looked > min(still / 10, 1.0) or seen is None:
            now, looked = await _value(progress, within), loop.time()
            if now != seen:
                seen, moved = now, looked
        if looked - moved > still or looked - begun > within:
            raise AssertionError(
                f"not after {looked - begun:.0f} s, {looked - moved:.0f} s of them without progress: "
                f"{_text(condition)}; progress: {seen}"
            )
        await asyncio.sleep(0.02)


async def _value(ask: Callable[[], Any], within: float) -> Any:
    value = ask()
    if not inspect.isawaitable(value):
        return value
    seconds = max(within, _HANGS_SECONDS)
    try:
        async with asyncio.timeout(seconds) as limit:
            return await value
    except TimeoutError:
        if not limit.expired():
            raise
        raise AssertionError(f"it did not return within {seconds:g} s: {_text(ask)}") from None


def _text(condition: Callable[[], Any]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)
