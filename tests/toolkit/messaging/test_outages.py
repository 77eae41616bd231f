"""A dependency that is away for long holds up nobody who does not need it, and counts as back when it is."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest
from treaty.commits.codec import NeedsDeploy
from treaty.concurrency.tasks import at_once
from treaty.dependencies import AFTER, Breakers, DependencyAway
from treaty.followers.leases import Sure
from treaty.memory.broker import MemoryBroker
from treaty.messaging.consumer import PartitionConsumer
from treaty.messaging.envelope import Envelope
from treaty.messaging.quarantine import AWAY_AT_MOST, SCHEDULE
from treaty.messaging.tries import Patience, handler_of
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.recorder import Recorder
from treaty.testing.samples import envelope
from treaty.testing.simulation import simulate
from treaty.testing.world import SeededChance

from tests.toolkit.pieces import DESK, Desk, running

AWAY_SECONDS = 30.0
PREFETCH = 16
PATIENT = Patience(away_seconds=AWAY_SECONDS)


class Away(DependencyAway):
    dependency = "test.other"


@dataclass(slots=True)
class Needing:
    """A handler; what begins with "n" needs the dependency."""

    away: bool = True
    hangs: float = 0.0
    tried: int = 0
    handled: dict[str, float] = field(default_factory=dict)

    async def handle(self, event: Envelope) -> None:
        if self.away and event.id.startswith("n"):
            self.tried += 1
            await asyncio.sleep(self.hangs)
            raise Away("no answer")
        self.handled[event.id] = asyncio.get_running_loop().time()


async def _desk() -> Desk:
    return await Desk(broker=MemoryBroker(prefetch=PREFETCH)).declared()


def _consumer(
    desk: Desk,
    handle: Callable[[Envelope], Awaitable[None]],
    breakers: Breakers,
    *,
    sure: Sure = at_once,
    patience: Patience = PATIENT,
) -> PartitionConsumer:
    return PartitionConsumer(
        DESK,
        0,
        desk.broker,
        handle,
        desk.quarantine,
        desk.replays,
        surroundings=breakers.surroundings,
        note_mark=lambda _: at_once(),
        sure=sure,
        patience=patience,
        breakers=breakers,
    )


def _breakers(desk: Desk) -> Breakers:
    return Breakers(Surroundings(clock=desk.clock, chance=SeededChance(), probe=desk.probe))


def _deliver(desk: Desk, *ids: str) -> None:
    for id in ids:
        desk.broker.deliver(DESK.context, envelope("test.bank", id, key=id))


def test_a_partition_full_of_messages_that_wait_lets_the_others_through_after_the_time_that_it_says() -> None:
    async def run() -> float:
        desk, needing = await _desk(), Needing()
        _deliver(desk, *(f"n{n}" for n in range(3 * PREFETCH)), "healthy")
        async with running(_consumer(desk, needing.handle, _breakers(desk)).run()):
            await eventually(lambda: "healthy" in needing.handled, within=3600.0)
            assert len(await desk.held()) >= 2 * PREFETCH
        return needing.handled["healthy"]

    assert AWAY_SECONDS / 2 < simulate(1, run()) < 1.5 * AWAY_SECONDS


def test_messages_whose_retry_hangs_hold_up_neither_others_nor_what_comes_on_their_own_keys() -> None:
    async def run() -> float:
        desk, needing = await _desk(), Needing()
        keys = [f"n{n}" for n in range(20 * PREFETCH)]
        _deliver(desk, *keys)
        async with running(_consumer(desk, needing.handle, _breakers(desk)).run()):
            await eventually(lambda: _holds(desk, len(keys)), within=3600.0)
            needing.hangs, needing.tried = 5.0, 0
            desk.clock.advance(301)
            await asyncio.sleep(2.0)
            begun = asyncio.get_running_loop().time()
            for key in keys:
                desk.broker.deliver(DESK.context, envelope("test.bank", f"{key} again", key=key))
            _deliver(desk, "healthy")
            await eventually(lambda: "healthy" in needing.handled, within=3600.0)
            assert needing.tried < PREFETCH
            needing.away = False
            desk.clock.advance(301)
            await asyncio.sleep(60.0)
            assert not await desk.held()
        return needing.handled["healthy"] - begun

    assert simulate(1, run()) < 20.0


def test_a_handler_that_hangs_holds_up_its_key_for_its_time_and_the_others_not_at_all() -> None:
    async def run() -> None:
        desk, needing = await _desk(), Needing(hangs=1e9)
        _deliver(desk, "n1", *(str(n) for n in range(PREFETCH - 1)))
        desk.broker.deliver(DESK.context, envelope("test.bank", "behind", key="n1"))
        async with running(_consumer(desk, needing.handle, _breakers(desk)).run()):
            await asyncio.sleep(Patience().handler_seconds - 1.0)
            assert not await desk.held()
            assert len(needing.handled) == PREFETCH - 1
            await asyncio.sleep(5.0)
            assert await desk.held() == ["n1", "behind"]
            assert "TookTooLong: it did not end within 180 s" in (await desk.known("n1")).error
            needing.away = False
            desk.clock.advance(11)
            await eventually(lambda: "behind" in needing.handled)

    simulate(1, run())


def _hanging(*, types: int = 1, behind: bool = False) -> list[tuple[str, str, str]]:
    """Returns id, type and key of messages of 96 keys whose handler hangs; with `behind`, each is behind a good one."""
    hanging = [(f"h{n}", f"Hanging{n % types}", f"h{n}") for n in range(96)]
    first = [(f"good{n}", "Good", f"h{n}") for n in range(96)] if behind else []
    return [*first, *hanging]


@pytest.mark.parametrize(
    ("messages", "first", "at_most"),
    [
        (_hanging(), "hangs", 60.0),
        (_hanging(types=12), "hangs", 60.0),
        (_hanging(), "fails", 600.0),
        (_hanging(behind=True), "fails", 600.0),
    ],
    ids=["one type", "many types", "one type, for the first time", "behind others"],
)
def test_many_keys_whose_handler_hangs_in_quarantine_hold_up_no_healthy_one(
    messages: list[tuple[str, str, str]], first: str, at_most: float
) -> None:
    async def run() -> float:
        desk, handled, phase = await _desk(), set[str](), first

        async def handle(event: Envelope) -> None:
            if phase == "fails":
                raise ValueError("not yet")
            if event.id.startswith("h") and event.id != "healthy":
                await asyncio.sleep(1e9)
            handled.add(event.id)

        def deliver(id: str, type: str, key: str) -> None:
            event = replace(envelope("test.bank", id, key=key), type=f"test.bank.v1.{type}")
            desk.broker.deliver(DESK.context, event)

        for message in messages:
            deliver(*message)
        async with running(_consumer(desk, handle, _breakers(desk)).run()):
            await asyncio.sleep(len(messages) / PREFETCH * Patience().handler_seconds + 60.0)
            phase = "fails"
            deliver("healthy", "Healthy", "healthy")
            await asyncio.sleep(60.0)
            assert len(await desk.held()) == len(messages) + 1
            phase = "hangs"
            begun = asyncio.get_running_loop().time()
            while "healthy" not in handled:
                await asyncio.sleep(10.0)
                desk.clock.advance(10)
            return asyncio.get_running_loop().time() - begun

    assert simulate(1, run()) <= at_most


def test_a_handler_that_fails_promptly_after_it_hung_is_no_longer_taken_for_one_that_hangs() -> None:
    async def run() -> None:
        desk, phase = await _desk(), "fails"

        async def handle(event: Envelope) -> None:
            if phase == "hangs":
                await asyncio.sleep(1e9)
            raise ValueError("no")

        _deliver(desk, *(f"n{n}" for n in range(40)))
        breakers = _breakers(desk)
        async with running(_consumer(desk, handle, breakers).run()):
            await asyncio.sleep(60.0)
            phase = "hangs"
            desk.clock.advance(11)
            hangs = handler_of(envelope("test.bank", "n1", key="n1").type)
            await eventually(lambda: breakers.is_open(hangs), within=3600.0)
            phase = "fails"
            desk.clock.advance(61)
            await asyncio.sleep(600.0)
            assert not breakers.is_open(hangs)
            for n in range(40):
                assert (await desk.known(f"n{n}")).attempts >= 1

    simulate(1, run())


async def test_a_process_that_stood_still_keeps_nothing_that_another_one_has_by_then() -> None:
    desk = await Desk().declared()
    is_sure = asyncio.Event()
    is_sure.set()

    async def sure() -> None:
        await is_sure.wait()

    async def handle(event: Envelope) -> None:
        desk.started.append(event.id)
        await asyncio.sleep(0.2)
        if event.id == "h":
            raise NeedsDeploy("of the time before")

    consumer = _consumer(desk, handle, _breakers(desk), sure=sure, patience=Patience(handler_seconds=0.5))
    async with running(consumer.run()):
        desk.deliver(*"abcdefgh")
        await eventually(lambda: len(desk.started) == 8)
        is_sure.clear()
        time.sleep(1.0)  # noqa: ASYNC251 - frozen for longer than a handler may take
        await asyncio.sleep(0.5)
        assert not await desk.held()
        is_sure.set()
        await eventually(lambda: _holds(desk, 1))
    assert await desk.held() == ["h"]


def test_a_handler_that_fails_late_is_not_tried_again_before_the_broker_takes_the_message_back() -> None:
    async def run() -> None:
        desk = await _desk()

        async def handle(event: Envelope) -> None:
            await asyncio.sleep(1000.0)
            raise ValueError("late")

        _deliver(desk, "a")
        patience = Patience(handler_seconds=1200.0)
        async with running(_consumer(desk, handle, _breakers(desk), patience=patience).run()):
            await asyncio.sleep(1800.0)
            assert await desk.held() == ["a"]

    simulate(1, run())


async def test_a_dependency_is_back_also_if_another_error_came_between() -> None:
    desk = await Desk().declared()
    breakers = _breakers(desk)
    errors: list[Exception] = [Away("no answer"), Away("no answer"), Away("no answer"), ValueError("no")]

    async def handle(event: Envelope) -> None:
        if errors:
            raise errors.pop(0)

    patience = replace(PATIENT, pause=0.01)
    async with running(_consumer(desk, handle, breakers, patience=patience).run()):
        _deliver(desk, "a")
        await desk.idle()
    assert not errors
    assert not breakers.is_open(Away.dependency)


def test_a_message_that_is_back_in_time_waits_where_it_stands() -> None:
    async def run() -> None:
        desk, needing = await _desk(), Needing()
        _deliver(desk, "n1", "n2")
        async with running(_consumer(desk, needing.handle, _breakers(desk)).run()):
            await asyncio.sleep(AWAY_SECONDS * 0.6)
            needing.away = False
            await asyncio.sleep(AWAY_SECONDS)
            assert not await desk.held()
        assert set(needing.handled) == {"n1", "n2"}

    simulate(1, run())


def test_the_gauge_says_that_a_dependency_is_back_when_a_message_in_quarantine_took_effect() -> None:
    async def run() -> None:
        desk, needing = await _desk(), Needing()
        breakers = _breakers(desk)
        _deliver(desk, *(f"n{n}" for n in range(AFTER)))
        async with running(_consumer(desk, needing.handle, breakers).run()):
            await asyncio.sleep(2 * AWAY_SECONDS)
            assert len(await desk.held()) == AFTER
            desk.clock.advance(11)
            await asyncio.sleep(5.0)
            assert desk.probe.gauges["treaty.breaker.open"] == 1
            needing.away = False
            desk.clock.advance(301)
            await asyncio.sleep(15.0)
            assert not await desk.held()
            assert desk.probe.gauges["treaty.breaker.open"] == 0

    simulate(1, run())


def test_a_dependency_of_which_nobody_heard_for_long_counts_as_back() -> None:
    async def run() -> None:
        probe = Recorder()
        breakers = Breakers(Surroundings(chance=SeededChance(), probe=probe))
        for _ in range(AFTER):
            breakers.failed("test.other")
        await asyncio.sleep(500.0)
        breakers.settle()
        assert breakers.is_open("test.other")
        await asyncio.sleep(101.0)
        breakers.settle()
        assert not breakers.is_open("test.other")
        assert probe.gauges["treaty.breaker.open"] == 0
        breakers.failed("test.other")
        assert breakers.away_for("test.other") < 1.0

    simulate(1, run())


async def test_neither_deploys_nor_outages_leave_a_message_to_a_person() -> None:
    desk = await Desk().declared()
    errors: list[Exception] = [NeedsDeploy("too new")] * (len(SCHEDULE) + 3)

    async def handle(event: Envelope) -> None:
        if errors:
            raise errors[0]
        await desk.handle(event)

    desk.deliver("a1")
    while errors and isinstance(errors[0], NeedsDeploy):
        async with running(desk.consumer(handle).run()):
            await eventually(lambda: _is_held(desk))
            await asyncio.sleep(0.05)
        errors.pop()
    assert (await desk.known("a1")).attempts == 0
    errors[:] = [Away("no answer")]
    async with running(desk.consumer(handle).run()):
        for attempt in range(1, 5):
            await eventually(lambda: _is_put_off(desk))
            assert (await desk.known("a1")).attempts == min(attempt, AWAY_AT_MOST)
            desk.clock.advance(301)
            await asyncio.sleep(0.05)
        errors.clear()
        desk.clock.advance(301)
        await eventually(desk.holds_nothing)
    assert desk.done == ["a1"]


async def _holds(desk: Desk, count: int) -> bool:
    return len(await desk.held()) == count


async def _is_held(desk: Desk) -> bool:
    return await desk.held() == ["a1"]


async def _is_put_off(desk: Desk) -> bool:
    known = await desk.known("a1")
    return known.next_try is not None and known.next_try > desk.clock.now()
