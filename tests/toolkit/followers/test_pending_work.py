"""Pending work is drained by due time, and fairly: one dependency that is away holds up nothing but its own work."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from treaty.dependencies import DependencyAway
from treaty.followers.pending import Item
from treaty.followers.pending_work import PendingWork
from treaty.followers.turns import Turns
from treaty.testing import eventually

from tests.toolkit.pieces import Parking, running


class Away(DependencyAway):
    dependency = "test.away"


def call(lane: str, *, type: str = "ring", missing: str = "", number: int = 1) -> Item:
    return Item(id=f"{lane}@{number}", lane=f"calls of {lane}", kind="call", body={"type": type}, missing=missing)


def timer(id: str, due: float, parking: Parking) -> Item:
    at = parking.clock.now() + timedelta(seconds=due)
    return Item(id=id, lane=id, kind="call", body={"type": "ring"}, due=at)


@pytest.mark.parametrize("known", ["", "test.away"], ids=["first seen", "known to be away"])
async def test_calls_to_a_dependency_that_hangs_do_not_hold_up_others(known: str) -> None:
    parking, made = Parking(), []
    hung: set[str] = set()

    async def run(item: Item) -> None:
        if item.body["type"] == "hang":
            hung.add(item.id)
            await asyncio.Event().wait()
        made.append(item.id)

    hanging = [call(f"a{n:03d}", type="hang", missing=known) for n in range(600)]
    healthy = [call(f"b{n}") for n in range(20)]
    await parking.store.add([*hanging, *healthy])
    work = parking.work(run)
    await work.load()
    async with running(work.work()):
        await eventually(lambda: len(made) == 20)
        assert len(hung) < 100, "a bounded number is tried at a time"


async def test_of_many_lanes_that_are_put_off_the_one_that_is_due_is_tried() -> None:
    parking, made = Parking(), []
    items = [call(f"{n:04d}") for n in range(1500)]
    await parking.store.add(items)
    for item in items[:-1]:
        await parking.store.delay(item, 3600)

    async def run(item: Item) -> None:
        made.append(item.id)

    work = parking.work(run)
    await work.load()
    async with running(work.work()):
        await eventually(lambda: made == [items[-1].id])
        parking.clock.advance(3600)
        await eventually(parking.is_empty)
    assert len(made) == 1500


async def test_every_lane_gets_its_turn_while_all_fail_and_all_flow_when_the_dependency_is_back() -> None:
    parking, tried, away = Parking(), [], True

    async def run(item: Item) -> None:
        tried.append(item.id)
        if away:
            raise Away("not here")

    items = [call(f"{n:03d}") for n in range(200)]
    await parking.store.add(items)
    work = parking.work(run)
    await work.load()
    async with running(work.work()):
        await eventually(lambda: set(tried) == {item.id for item in items})
        away = False
        await eventually(lambda: _moved_on(parking))


async def _moved_on(parking: Parking) -> bool:
    parking.clock.advance(60)
    return await parking.is_empty()


async def test_timers_beyond_the_bound_in_memory_fire_at_their_time() -> None:
    parking, fired = Parking(), []

    async def run(item: Item) -> None:
        fired.append(item.id)

    work = _small(parking, run)
    for n in range(40):
        await work.park(timer(f"t{n:02d}", 40 - n, parking))
        assert len(work._turns) <= 11
    async with running(work.work()):
        for second in range(1, 41):
            parking.clock.advance(1)
            await eventually(lambda wanted=second: len(fired) == wanted)  # type: ignore[misc]
    assert fired == [f"t{n:02d}" for n in reversed(range(40))]


def _small(parking: Parking, run: object) -> PendingWork:
    work = parking.work(run)  # type: ignore[arg-type]
    work._most_timers = 10
    return work


async def test_a_timer_fires_only_when_the_inbox_has_been_read() -> None:
    parking, fired, read = Parking(), [], asyncio.Event()

    async def run(item: Item) -> None:
        fired.append(item.id)

    work = parking.work(run)
    work._read_inbox = read.wait  # type: ignore[assignment]
    await work.load()
    async with running(work.work()):
        await work.park(timer("t1", 10, parking))
        await work.park(call("now"))
        parking.clock.advance(11)
        await eventually(lambda: fired == ["now@1"])
        await parking.looked(5)
        assert fired == ["now@1"]
        read.set()
        await eventually(lambda: fired == ["now@1", "t1"])


async def test_the_servers_clock_decides_when_a_timer_is_due() -> None:
    parking, fired = Parking(), []

    async def run(item: Item) -> None:
        fired.append(item.id)

    work = parking.work(run)
    await work.load()
    async with running(work.work()):
        parking.clock.advance(-600)  # the server's clock was set back; the process does not know it yet
        await work.park(timer("t1", 300, parking))
        await parking.looked(5)
        assert not fired
        parking.clock.advance(301)
        await eventually(parking.is_empty)


async def test_an_item_that_is_being_stored_still_holds_its_lane() -> None:
    parking, storing, go_on = Parking(), asyncio.Event(), asyncio.Event()
    add, ran = parking.store.add, []

    async def slowly(items: Sequence[Item]) -> None:
        storing.set()
        await go_on.wait()
        await add(items)

    async def run(item: Item) -> None:
        ran.append(item.id)

    work = parking.work(run)
    await add([call("a", number=1)])
    await work.load()
    parking.store.add = slowly  # type: ignore[method-assign]
    parked = asyncio.create_task(work.park(call("a", number=2)))
    await storing.wait()
    async with running(work.work()):
        await eventually(lambda: ran == ["a@1"])
        await parking.looked(3)
        assert work.parked("calls of a"), "the second item is on its way"
        go_on.set()
        await parked
        await eventually(parking.is_empty)
        await eventually(lambda: not work.parked("calls of a"))
    assert ran == ["a@1", "a@2"]


async def test_a_store_that_cancels_from_within_does_not_end_the_work_of_a_lane() -> None:
    parking, made = Parking(), []
    done, first, now = parking.store.done, parking.store.first, parking.store.now
    cancelled: list[str] = []

    def once(name: str, method: Any) -> Any:
        async def asked(*args: Any) -> Any:
            if name not in cancelled:
                cancelled.append(name)
                raise asyncio.CancelledError
            return await method(*args)

        return asked

    async def run(item: Item) -> None:
        made.append(item.id)

    work = parking.work(run)
    await work.load()
    parking.store.done = once("done", done)  # type: ignore[method-assign]
    parking.store.first = once("first", first)  # type: ignore[method-assign]
    parking.store.now = once("now", now)  # type: ignore[method-assign]
    async with running(work.work()) as task:
        await work.park(call("a", number=1))
        await work.park(call("a", number=2))
        await eventually(lambda: _moved_on(parking))
        await eventually(lambda: len(cancelled) == 3)
        await parking.looked(2)
        assert not task.done()
    assert made == ["a@1", "a@1", "a@2"]


def test_turns_are_taken_by_time_and_by_group() -> None:
    turns = Turns()
    for at, lane, group in ((3, "c", "x"), (1, "a", "x"), (2, "b", "y"), (9, "d", "y")):
        turns.put(lane, at, group)
    turns.put("c", 0.5, "y")  # waits elsewhere now
    assert list(turns.take("x", 5, 10)) == ["a"]
    assert list(turns.groups()) == ["y"]
    assert list(turns.take("y", 5, 1)) == ["c"]
    assert list(turns.take("y", 5, 10)) == ["b"]
    assert (turns.next_at("y"), len(turns), "d" in turns) == (9, 1, True)
