"""The consumer of a partition: each key in order, one effect for each message, nothing lost when a channel is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from treaty.causes import current_cause
from treaty.domain import Rejected
from treaty.memory.broker import MemoryBroker
from treaty.messaging.broker import BrokerAway, Delivery, Topology
from treaty.messaging.dispatcher import Dispatcher, UnknownType
from treaty.messaging.envelope import Envelope, Malformed
from treaty.messaging.subscriptions import Subscription
from treaty.probes import NoProbe
from treaty.testing import eventually
from treaty.testing.samples import envelope

from tests.toolkit.bank import Bank, deposit, withdraw
from tests.toolkit.pieces import DESK, Desk, of, running


@pytest.fixture
async def desk() -> Desk:
    return await Desk().declared()


def subscription(then: Callable[[Any], Awaitable[Any]], *, name: str = "Happened") -> Subscription:
    """Wants `test.bank.v1.Happened`, whose body is a number; none for an empty body."""
    return Subscription(name, "test.bank.v1.Happened", bytes.decode, lambda text: int(text) if text else None, then)


def handling(*subscriptions: Subscription) -> Dispatcher:
    return Dispatcher(subscriptions, "queue", NoProbe())


async def test_messages_are_handled_in_the_order_of_their_key_and_acknowledged(desk: Desk) -> None:
    desk.deliver("a1", "b1", "a2", "b2", "a3")
    async with running(desk.consumer().run()):
        desk.deliver("a4")
        await desk.idle()
    assert of("a", desk.done) == ["a1", "a2", "a3", "a4"]
    assert of("b", desk.done) == ["b1", "b2"]


async def test_a_duplicate_has_no_second_effect(desk: Desk) -> None:
    bank = Bank()
    accounts = bank.accounts()
    handle = handling(subscription(lambda amount: accounts.add("ann", deposit(amount))))
    desk.broker.twice = True
    async with running(desk.consumer(handle).run()):
        for n in (1, 2, 3):
            desk.broker.deliver(DESK.context, envelope("test.bank", f"a{n}", key="a", body=b"%d" % n))
        await desk.idle()
    assert await bank.balance("ann") == 6
    assert len(bank.commits) == 3


async def test_a_message_takes_effect_once_for_each_subscription(desk: Desk) -> None:
    bank = Bank()
    accounts = bank.accounts()
    fails = [True]

    async def second(amount: int) -> None:
        if fails:
            raise OSError("away")
        await accounts.add("ann", deposit(10 * amount))

    handle = handling(
        subscription(lambda amount: accounts.add("ann", deposit(amount)), name="first"),
        subscription(second, name="second"),
    )
    event = envelope("test.bank", "a1", body=b"1")
    with pytest.raises(OSError, match="away"):
        await handle(event)
    fails.clear()
    for _ in range(2):
        await handle(event)
    assert await bank.balance("ann") == 11


async def test_a_message_acts_under_its_own_cause() -> None:
    causes = []

    async def note(amount: int) -> None:
        causes.append(current_cause())

    event = envelope("test.bank", "thing-k@1#1", body=b"1")
    await handling(subscription(note, name="Noting"))(event)
    [cause] = causes
    assert (cause.id, cause.durable) == ("test.bank/thing-k@1#1/Noting", True)


async def test_a_message_that_does_not_concern_us_is_passed() -> None:
    async def never(amount: int) -> None:
        raise AssertionError("it was handled")

    await handling(subscription(never))(envelope("test.bank", "a1", body=b""))


async def test_a_type_that_nobody_subscribes_to_waits_for_a_deploy() -> None:
    async def never(amount: int) -> None:
        raise AssertionError("it was handled")

    with pytest.raises(UnknownType, match=r"test\.bank\.v1\.Other"):
        await handling(subscription(never))(envelope("test.bank", "a1", type="test.bank.v1.Other"))


async def test_bytes_that_are_no_message_wait_for_a_deploy() -> None:
    async def never(amount: int) -> None:
        raise AssertionError("it was handled")

    with pytest.raises(Malformed, match="the body is no"):
        await handling(subscription(never))(envelope("test.bank", "a1", body=b"\xff\xff"))


async def test_a_refused_message_is_done_with_and_recorded(desk: Desk) -> None:
    bank = Bank()
    accounts = bank.accounts()
    handle = handling(subscription(lambda amount: accounts.add("ann", withdraw(amount))))
    async with running(desk.consumer(handle).run()):
        desk.broker.deliver(DESK.context, envelope("test.bank", "a1", body=b"5"))
        await desk.idle()
    assert not await desk.held()
    assert bank.commits[0].causes[0].refusal is not None


async def test_a_refusal_that_was_not_recorded_is_a_failure() -> None:
    async def refuse(amount: int) -> None:
        raise Rejected("no")

    with pytest.raises(Rejected):
        await handling(subscription(refuse))(envelope("test.bank", "a1", body=b"5"))


async def test_the_order_of_a_key_is_kept_through_failures(desk: Desk) -> None:
    tried: set[str] = set()

    async def shaky(event: Envelope) -> None:
        if int(event.id[1:]) % 3 == 0 and event.id not in tried:
            tried.add(event.id)
            raise OSError("away")
        await desk.handle(event)

    async with running(desk.consumer(shaky).run()):
        for n in range(20):
            desk.deliver(f"a{n}", f"b{n}", f"c{n}")
        await desk.idle()
    for key in "abc":
        assert of(key, desk.done) == [f"{key}{n}" for n in range(20)]
    assert desk.probe.counts["treaty.consumer.retries"] == 21


async def test_other_keys_go_on_while_one_is_stuck(desk: Desk) -> None:
    desk.gates["a1"] = asyncio.Event()
    async with running(desk.consumer().run()):
        desk.deliver("a1", "a2", "b1", "b2")
        await eventually(lambda: of("b", desk.done) == ["b1", "b2"])
        assert of("a", desk.started) == ["a1"]
        desk.gates["a1"].set()
        await desk.idle()
    assert of("a", desk.done) == ["a1", "a2"]


async def test_a_message_is_not_acknowledged_before_it_is_handled(desk: Desk) -> None:
    desk.gates["a1"] = asyncio.Event()
    async with running(desk.consumer().run()):
        desk.deliver("a1")
        await eventually(lambda: desk.started)
        assert await desk.broker.queued(DESK) == 1
    assert await desk.broker.queued(DESK) == 1


async def test_after_a_lost_channel_messages_come_again_in_order_with_one_effect(desk: Desk) -> None:
    bank = Bank()
    accounts = bank.accounts()

    async def slowly(event: Envelope) -> None:
        await pay(event)
        await desk.handle(event)

    pay = handling(subscription(lambda amount: accounts.add("ann", deposit(amount))))
    desk.gates["a2"] = asyncio.Event()
    async with running(desk.consumer(slowly).run()):
        for n in (1, 2, 3):
            desk.broker.deliver(DESK.context, envelope("test.bank", f"a{n}", key="a", body=b"%d" % n))
        await eventually(lambda: "a2" in desk.started)
        await desk.broker.lose_channels()
        desk.gates["a2"].set()
        await desk.idle()
    assert desk.started == ["a1", "a2", "a2", "a3"]
    assert await bank.balance("ann") == 6


async def test_draining_finishes_what_was_started_and_starts_nothing_else(desk: Desk) -> None:
    desk.gates["a1"] = asyncio.Event()
    consumer = desk.consumer()
    async with running(consumer.run()):
        desk.deliver("a1", "a2", "a3")
        await eventually(lambda: desk.started)
        consumer.drain()
        desk.deliver("b1")
        assert not consumer.ended.is_set()
        desk.gates["a1"].set()
        await eventually(consumer.ended.is_set)
    assert desk.started == ["a1"]
    assert await desk.broker.queued(DESK) == 3
    async with running(desk.consumer().run()):
        await desk.idle()
    assert of("a", desk.done) == ["a1", "a2", "a3"]


async def test_a_consumer_comes_back_when_the_broker_does(desk: Desk) -> None:
    desk.broker.away = True
    desk.deliver("a1")
    async with running(desk.consumer().run()):
        await asyncio.sleep(0)
        desk.broker.away = False
        await desk.idle()
    assert desk.done == ["a1"]


async def test_a_message_that_another_owner_kept_after_this_one_had_read_the_quarantine_holds_its_key() -> None:
    desk = await Desk().declared()
    desk.poison.add("a1")
    desk.deliver("a1")
    async with running(desk.consumer().run()):
        await eventually(lambda: _holds(desk, ["a1"]))
        kept = await desk.known("a1")
    await desk.quarantine.remove(kept)
    reading = desk.consumer()
    async with running(reading.run()):
        await eventually(lambda: desk.broker._inboxes[DESK.context][0].consumer is not None)
        assert "a" not in reading._keeper._keys
        await desk.quarantine.add(kept)  # by an owner that was slow
        desk.deliver("a2")
        await eventually(lambda: _holds(desk, ["a1", "a2"]))
    assert "a2" not in desk.done


async def _holds(desk: Desk, ids: list[str]) -> bool:
    return await desk.held() == ids


class _HalfOpenBroker(MemoryBroker):
    """Delivers to a consumer whose channel then turns out not to be open, as while a broker starts again."""

    half_open = 2

    @asynccontextmanager
    async def consume(
        self, topology: Topology, partition: int, receive: Callable[[Delivery], None], *, owner: object = None
    ) -> AsyncIterator[asyncio.Event]:
        async with super().consume(topology, partition, receive, owner=owner) as lost:
            await asyncio.sleep(0.01)
            if self.half_open:
                self.half_open -= 1
                raise BrokerAway("the channel was not opened in time")
            yield lost


async def test_messages_of_a_channel_that_could_not_be_opened_are_not_handled_beside_those_of_the_next() -> None:
    desk = Desk(broker=_HalfOpenBroker())
    await desk.declared()
    running_now: set[str] = set()
    overlaps: list[str] = []

    async def handle(event: Envelope) -> None:
        if event.id in running_now:
            overlaps.append(event.id)
        running_now.add(event.id)
        try:
            await asyncio.sleep(0.5)
            await desk.handle(event)
        finally:
            running_now.discard(event.id)

    desk.deliver("a1", "b1")
    async with running(desk.consumer(handle).run()):
        await desk.idle()
    assert not overlaps
    assert sorted(desk.done) == ["a1", "b1"]
