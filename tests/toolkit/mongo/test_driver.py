"""A cancellation that a driver drops is raised when the request is over, and no other."""

import asyncio
import contextlib

import pytest
from pymongo.errors import AutoReconnect
from treaty.commits.log import StoreAway
from treaty.mongo.driver import reaching


async def _asked(fails: bool) -> str:
    """Asks as a driver does that drops a cancellation."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(60)
    if fails:
        raise AutoReconnect("connection closed")
    return "an answer"


@pytest.mark.parametrize("fails", [False, True])
async def test_a_dropped_cancellation_ends_the_task(fails: bool) -> None:
    async def loop() -> None:
        while True:
            with contextlib.suppress(StoreAway), reaching():
                await _asked(fails)

    task = asyncio.create_task(loop())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task], timeout=5.0)
    assert task.cancelled()


async def test_a_timeout_whose_cancellation_is_dropped_is_still_a_timeout() -> None:
    async def in_time() -> None:
        async with asyncio.timeout(0.01):
            with reaching():
                await _asked(False)

    with pytest.raises(TimeoutError):
        await in_time()


async def test_what_a_cancelled_task_asks_at_its_end_is_answered() -> None:
    answers: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            with reaching():
                await asyncio.sleep(0)
                answers.append("released")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert answers == ["released"]


async def test_an_error_without_a_cancellation_says_that_the_store_is_away() -> None:
    with pytest.raises(StoreAway, match="AutoReconnect"), reaching():
        raise AutoReconnect("connection closed")


async def test_a_cancellation_that_nobody_asked_for_is_a_store_that_is_away() -> None:
    with pytest.raises(StoreAway), reaching():
        raise asyncio.CancelledError
