"""Ending tasks: those that miss a cancellation, those that take their time, and those that end others."""

import asyncio
import contextlib

import pytest
from treaty.concurrency import tasks
from treaty.concurrency.lanes import Lanes
from treaty.concurrency.tasks import ended, until_one_ends


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a task be cancelled again soon."""
    monkeypatch.setattr(tasks, "_AGAIN_SECONDS", 0.05)


async def _deaf(times: int, heard: list[int]) -> None:
    """Works on after so many cancellations, as a task does whose `wait_for` drops them."""
    for number in range(times):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        heard.append(number)
    await asyncio.sleep(60)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("times", [0, 1, 2])
async def test_a_task_ends_however_many_cancellations_it_misses(times: int) -> None:
    heard: list[int] = []
    task = asyncio.create_task(_deaf(times, heard))
    await asyncio.sleep(0)
    await ended([task])
    assert task.cancelled()
    assert heard == list(range(times))


@pytest.mark.usefixtures("soon")
async def test_lanes_close_though_their_work_misses_a_cancellation() -> None:
    lanes, heard = Lanes(), list[int]()
    lanes.submit("key", lambda: _deaf(1, heard))
    await asyncio.sleep(0)
    await lanes.close()
    assert heard == [0]
    assert not len(lanes)


@pytest.mark.usefixtures("soon")
async def test_the_others_end_with_the_first_though_one_misses_its_cancellation() -> None:
    heard: list[int] = []
    deaf, first = asyncio.create_task(_deaf(1, heard)), asyncio.create_task(asyncio.sleep(0))
    await until_one_ends(first, deaf)
    assert deaf.cancelled()


async def _slow(over: list[str], name: str) -> None:
    """Takes its time when it is cancelled."""
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.1)
        over.append(name)


async def test_what_a_task_does_at_its_end_is_not_interrupted() -> None:
    over: list[str] = []
    task = asyncio.create_task(_slow(over, "slow"))
    await asyncio.sleep(0)
    await ended([task])
    assert over == ["slow"]


async def test_a_task_that_ends_others_waits_for_them_though_it_is_cancelled_meanwhile() -> None:
    heard: list[int] = []

    async def outer(inner: "asyncio.Task[None]") -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await ended([inner])

    inner = asyncio.create_task(_deaf(2, heard))
    task = asyncio.create_task(outer(inner))
    for _ in range(3):
        await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inner.cancelled()
    assert heard == [0, 1]


async def test_errors_of_ended_tasks_are_nobodys() -> None:
    async def fails() -> None:
        raise RuntimeError

    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    await ended([task])
    assert isinstance(task.exception(), RuntimeError)
