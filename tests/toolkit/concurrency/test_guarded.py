"""Work of others: a panic or a cancellation from within is an error, and a real cancellation stays one."""

import asyncio

import pytest
from treaty.concurrency.guarded import guarded
from treaty.concurrency.tasks import Broken


class Panic(BaseException):
    """As a native library raises it."""


async def _raise(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


@pytest.mark.parametrize("error", [Panic("out of bounds"), asyncio.CancelledError()])
async def test_what_would_end_the_task_is_an_error_of_the_work(error: BaseException) -> None:
    with pytest.raises(Broken):
        await guarded(_raise(error))


async def test_errors_and_results_pass() -> None:
    with pytest.raises(ValueError, match="no"):
        await guarded(_raise(ValueError("no")))
    assert await guarded(asyncio.sleep(0, 7)) == 7


async def test_a_cancellation_of_the_task_and_a_time_limit_go_on() -> None:
    task = asyncio.create_task(guarded(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await guarded(asyncio.Event().wait())
