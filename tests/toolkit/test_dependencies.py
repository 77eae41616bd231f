"""Breakers: what is away is tried by one at a time, nobody is blamed for it, and things go on when it is back."""

import asyncio
from dataclasses import dataclass, field

import pytest
from treaty.clock import SystemClock
from treaty.commits.log import StoreAway
from treaty.dependencies import AFTER, Breakers, DependencyAway, GivenUp
from treaty.followers.pending import Item
from treaty.followers.pending_work import PendingWork
from treaty.memory.pending import MemoryPending
from treaty.messaging.envelope import Envelope
from treaty.rpc.peers import PeerAway
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.recorder import Recorder
from treaty.testing.world import SeededChance

from tests.toolkit.pieces import Desk, of, running


@dataclass(slots=True)
class Shaky:
    """A handler that needs something which is away; counts its tries."""

    away: bool = True
    tries: int = 0
    done: list[str] = field(default_factory=list)

    async def handle(self, event: Envelope) -> None:
        self.tries += 1
        if self.away and event.id.startswith("a"):
            raise StoreAway("not now")
        self.done.append(event.id)


def opened(breakers: Breakers) -> Breakers:
    for _ in range(AFTER):
        breakers.failed("store")
    return breakers


async def test_a_breaker_that_is_open_lets_one_try_through_at_a_time() -> None:
    probe = Recorder()
    breakers = opened(Breakers(Surroundings(chance=SeededChance(scale=0.01), probe=probe)))
    assert probe.gauges["treaty.breaker.open"] == 1
    await eventually(lambda: breakers.admit("store"))
    assert not breakers.admit("store")
    assert breakers.admit("another")
    breakers.succeeded("store")
    assert breakers.admit("store")
    assert breakers.admit("store")
    assert probe.gauges["treaty.breaker.open"] == 0


async def test_who_stops_does_not_wait_for_what_is_away() -> None:
    breakers, stop = opened(Breakers(Surroundings(chance=SeededChance(), probe=Recorder()))), asyncio.Event()
    waiting = asyncio.create_task(breakers.turn("store", stop, seconds=60.0))
    stop.set()
    with pytest.raises(GivenUp):
        await waiting


async def test_messages_wait_where_they_stand_and_are_not_quarantined() -> None:
    desk, shaky = await Desk().declared(), Shaky()
    desk.deliver("a1", "b1", "a2")
    async with running(desk.consumer(shaky.handle).run()):
        await eventually(lambda: shaky.tries > AFTER + 2 and "b1" in shaky.done)
        assert not await desk.held()
        shaky.away = False
        await desk.idle()
    assert of("a", shaky.done) == ["a1", "a2"]


async def test_a_consumer_drains_though_something_is_away_and_the_message_comes_again() -> None:
    desk, shaky = await Desk().declared(), Shaky()
    desk.deliver("a1")
    consumer = desk.consumer(shaky.handle)
    async with running(consumer.run()):
        await eventually(lambda: shaky.tries > AFTER)
        consumer.drain()
        await consumer.ended.wait()
    shaky.away = False
    async with running(desk.consumer(shaky.handle).run()):
        await desk.idle()
    assert shaky.done == ["a1"]


async def test_calls_to_one_peer_that_is_away_do_not_all_try() -> None:
    store, tries, away = MemoryPending(SystemClock()), [], True

    async def run(item: Item) -> None:
        tries.append(item.id)
        if away:
            raise PeerAway("test.other", "no answer")

    work = PendingWork(
        store, run, surroundings=Surroundings(chance=SeededChance(scale=0.02), probe=Recorder()), look_every=0.01
    )
    items = [Item(id=f"s{n}@1!0", lane=f"calls of s{n}", kind="call", body={}) for n in range(50)]
    await store.add(items)
    await work.load()
    async with running(work.work()):
        await eventually(lambda: len(tries) > 60)
        rounds = max(tries.count(item.id) for item in items)
        assert len(tries) < 50 * rounds, "every call was tried in every round"
        away = False
        await eventually(lambda: _is_empty(store))


async def _is_empty(store: MemoryPending) -> bool:
    return not await store.lanes()


def test_whoever_is_away_says_its_name() -> None:
    assert StoreAway("x").dependency == "store"
    assert PeerAway("commerce.ordering", "no answer").dependency == "commerce.ordering"
    assert DependencyAway("x").dependency == "unknown"
