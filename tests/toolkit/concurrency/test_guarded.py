"""What others raise is an error of their work; only who cancels a task ends it."""

import asyncio
import time

import pytest
from treaty.concurrency.guarded import TookTooLong, guarded, guarded_for, guarding
from treaty.concurrency.tasks import Broken


class Panic(BaseException):
    """As a native library raises it."""


async def cancelled_from_within() -> None:
    raise asyncio.CancelledError


async def panicking() -> None:
    raise Panic("out of bounds")


async def test_a_cancellation_that_nobody_asked_for_is_an_error_of_the_work() -> None:
    with pytest.raises(Broken, match="from within"):
        await guarded(cancelled_from_within())


async def test_a_panic_is_an_error_of_the_work() -> None:
    with pytest.raises(Broken, match="Panic: out of bounds"):
        await guarded(panicking())


async def test_other_errors_and_results_come_through() -> None:
    async def refuse() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await guarded(refuse())
    assert await guarded(asyncio.sleep(0, "yes")) == "yes"


async def test_who_is_cancelled_is_cancelled() -> None:
    task = asyncio.create_task(guarded(asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timeout_around_it_and_in_it_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await guarded(asyncio.sleep(60))
    with pytest.raises(TimeoutError), guarding():
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)


async def test_who_cleans_up_after_a_cancellation_is_guarded_too() -> None:
    found: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            try:
                await guarded(cancelled_from_within())
            except Broken as broken:
                found.append(str(broken))

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert found == ["it was cancelled from within"]


async def test_work_is_cut_off_after_its_time() -> None:
    begun = time.monotonic()
    with pytest.raises(TookTooLong, match=r"within 0\.2 s"):
        await guarded_for(0.2, asyncio.sleep(600))
    assert time.monotonic() - begun >= 0.19


async def test_time_in_which_the_process_stands_still_is_not_that_of_the_work() -> None:
    async def work() -> str:
        await asyncio.sleep(0.05)
        time.sleep(1.0)  # noqa: ASYNC251 - the process stands still
        await asyncio.sleep(0.05)
        return "done"

    assert await guarded_for(0.5, work()) == "done"


async def test_a_timeout_of_the_work_itself_is_its_own_error() -> None:
    async def work() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await guarded_for(30.0, work())
