"""Ending tasks that do not notice their first cancellation."""

import asyncio
import contextlib

import pytest
from treaty.concurrency.lanes import Lanes
from treaty.concurrency.tasks import ended, until_one_ends


async def _deaf(times: int, heard: list[int]) -> None:
    """Works on after so many cancellations, as a task does whose `wait_for` drops them."""
    for number in range(times):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        heard.append(number)
    await asyncio.sleep(60)


@pytest.mark.parametrize("times", [0, 1, 2])
async def test_a_task_ends_however_many_cancellations_it_misses(times: int) -> None:
    heard: list[int] = []
    task = asyncio.create_task(_deaf(times, heard))
    await asyncio.sleep(0)
    await ended([task])
    assert task.cancelled()
    assert heard == list(range(times))


async def test_lanes_close_though_their_work_misses_a_cancellation() -> None:
    lanes, heard = Lanes(), list[int]()
    lanes.submit("key", lambda: _deaf(1, heard))
    await asyncio.sleep(0)
    await lanes.close()
    assert heard == [0]
    assert not len(lanes)


async def test_the_others_end_with_the_first_though_one_misses_its_cancellation() -> None:
    heard: list[int] = []
    deaf, first = asyncio.create_task(_deaf(1, heard)), asyncio.create_task(asyncio.sleep(0))
    await until_one_ends(first, deaf)
    assert deaf.cancelled()
