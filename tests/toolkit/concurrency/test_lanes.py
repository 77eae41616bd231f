"""Work by key: in order for each key, side by side across keys."""

import asyncio
from functools import partial

from treaty.concurrency.lanes import Lanes
from treaty.testing import eventually


async def test_the_work_of_a_key_is_done_in_order_and_one_at_a_time() -> None:
    lanes = Lanes()
    done: list[int] = []
    open_: list[int] = []

    async def work(n: int) -> None:
        assert not open_
        open_.append(n)
        await asyncio.sleep(0)
        done.append(open_.pop())

    for n in range(10):
        lanes.submit("a", partial(work, n))
    await lanes.drain()
    assert done == list(range(10))
    assert len(lanes) == 0


async def test_keys_do_not_wait_for_each_other() -> None:
    lanes, gate, done = Lanes(), asyncio.Event(), []

    async def stuck() -> None:
        await gate.wait()
        done.append("stuck")

    async def quick() -> None:
        done.append("quick")

    lanes.submit("a", stuck)
    lanes.submit("b", quick)
    await eventually(lambda: done == ["quick"])
    gate.set()
    await lanes.drain()
    assert done == ["quick", "stuck"]


async def test_what_is_dropped_is_cancelled_or_never_started() -> None:
    lanes, started, ended = Lanes(), asyncio.Event(), []

    async def endless() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def never() -> None:
        raise AssertionError("it was started")

    lanes.submit("a", endless)
    lanes.submit("a", never)
    await started.wait()
    await lanes.drop()
    assert ended == ["cancelled"]
    assert len(lanes) == 0


async def test_what_comes_in_while_it_closes_overtakes_nothing() -> None:
    lanes, done = Lanes(), []
    started, gate = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        started.set()
        try:
            await gate.wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            lanes.submit("a", partial(note, 2))
            raise

    async def note(n: int) -> None:
        done.append(n)

    lanes.submit("a", first)
    await started.wait()
    await lanes.close()
    lanes.submit("a", partial(note, 3))
    await lanes.drain()
    assert not done


async def test_behind_a_piece_that_raised_nothing_of_its_key_is_done_and_the_owner_is_told() -> None:
    lanes, done = Lanes(), list[str]()

    async def cancelled_from_within() -> None:
        raise asyncio.CancelledError

    async def note(what: str) -> None:
        done.append(what)

    lanes.submit("a", cancelled_from_within)
    lanes.submit("a", partial(note, "a"))
    await asyncio.wait_for(lanes.failed.wait(), 5)
    lanes.submit("a", partial(note, "a, later"))
    lanes.submit("b", partial(note, "b"))
    lanes.submit("end", lanes.behind_all(partial(note, "behind all")))
    await eventually(lambda: done == ["b"])
    await asyncio.sleep(0.01)
    assert done == ["b"]
    await lanes.close()
