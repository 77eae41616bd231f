"""The contract of a broker; memory and RabbitMQ pass the same suite."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

import pytest

from treaty.chance import RandomIds
from treaty.messaging.broker import Broker, BrokerAway, Delivery, NotAccepted, Topology, Unroutable, exchange_of
from treaty.messaging.envelope import parse
from treaty.messaging.replays import END_HEADER, REPLAY_HEADER, named
from treaty.testing.eventually import eventually
from treaty.testing.samples import envelope

MakeBroker = Callable[[], Awaitable[Broker]]


class Receiver:
    """Receives deliveries, and keeps them until they are acknowledged."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)

    @property
    def got(self) -> list[str]:
        """The ids of the received events, in order."""
        return [parse(delivery.headers, delivery.body).id for delivery in self.deliveries]

    async def ack_all(self) -> list[str]:
        """Acknowledges the deliveries so far, and returns their ids; deliveries that arrive meanwhile stay."""
        got, taken = self.got, self.deliveries
        self.deliveries = []
        for delivery in taken:
            await delivery.ack()
        return got


def subscriber(context: str, producer: str, *, partitions: int = 1) -> Topology:
    """Returns the topology of a context that subscribes to `<producer>.v1.Happened`."""
    wanted = {producer: [f"{producer}.v1.Happened"]}
    return Topology(context=context, publishes=[], subscribes=wanted, partitions=partitions)


def producer_of(context: str) -> Topology:
    """Returns the topology of a context that publishes `<context>.v1.Happened`, and an event without a subscriber."""
    types = [f"{context}.v1.Happened", f"{context}.v1.Unwanted"]
    return Topology(context=context, publishes=types, subscribes={}, partitions=1)


class BrokerSuite:
    """The contract tests of a broker: override the fixture `make_broker`. Every test uses new names of contexts."""

    @pytest.fixture
    async def make_broker(self) -> MakeBroker:
        """Returns (or yields) a function that opens another connection to the broker, as another process would."""
        raise NotImplementedError("override this fixture: it opens the broker")

    @pytest.fixture
    async def broker(self, make_broker: MakeBroker) -> Broker:
        return await make_broker()

    @pytest.fixture
    def producer(self) -> str:
        return f"testing.p{RandomIds().new()[:8]}"

    async def _bound(self, broker: Broker, producer: str, *contexts: str, partitions: int = 1) -> list[Topology]:
        """Declares a producer, and contexts that subscribe to its events; returns the topologies of these contexts."""
        topologies = [subscriber(f"{producer}{name}", producer, partitions=partitions) for name in contexts]
        for topology in [producer_of(producer), *topologies]:
            await broker.declare(topology)
        return topologies

    @pytest.mark.parametrize("length", [250, 255, 256, 300, 4000])
    async def test_long_ids_travel_whole(self, broker: Broker, producer: str, length: int) -> None:
        [topology] = await self._bound(broker, producer, "a")
        sent = replace(envelope(producer, "i" * length), correlation="ä" * length)
        await broker.publish(exchange_of(producer), sent)
        receiver = Receiver()
        async with broker.consume(topology, 0, receiver):
            [delivery] = await eventually(lambda: receiver.deliveries)
            assert parse(delivery.headers, delivery.body) == sent
            await delivery.ack()

    async def test_an_event_that_cannot_be_sent_is_refused_alone(self, broker: Broker, producer: str) -> None:
        [topology] = await self._bound(broker, producer, "a")
        for n in range(3):
            with pytest.raises((NotAccepted, Unroutable)):
                await broker.publish(exchange_of(producer), envelope(producer, "a", type=f"{producer}.{'T' * 300}"))
            await broker.publish(exchange_of(producer), envelope(producer, f"b{n}"))
        await eventually(lambda: _is_queued(broker, topology, 3))

    async def test_an_event_reaches_every_context_that_wants_it(self, broker: Broker, producer: str) -> None:
        topologies = await self._bound(broker, producer, "a", "b")
        sent = envelope(producer, "thing-k@1#1", body=b"\x00\xff")
        await broker.publish(exchange_of(producer), sent)
        for topology in topologies:
            receiver = Receiver()
            async with broker.consume(topology, 0, receiver):
                [delivery] = await eventually(lambda r=receiver: r.deliveries)  # type: ignore[misc]
                assert parse(delivery.headers, delivery.body) == sent
                await delivery.ack()

    async def test_events_published_before_anybody_consumes_are_kept(self, broker: Broker, producer: str) -> None:
        [topology] = await self._bound(broker, producer, "a")
        for n in range(20):
            await broker.publish(exchange_of(producer), envelope(producer, f"e{n}"))
        receiver = Receiver()
        async with broker.consume(topology, 0, receiver):
            await eventually(lambda: len(receiver.got) == 20)
            assert receiver.got == [f"e{n}" for n in range(20)]

    async def test_an_event_that_nobody_wants_is_unroutable(self, broker: Broker, producer: str) -> None:
        await self._bound(broker, producer, "a")
        with pytest.raises(Unroutable):
            await broker.publish(exchange_of(producer), envelope(producer, "e", type=f"{producer}.v1.Unwanted"))

    async def test_declaring_again_changes_nothing(
        self, broker: Broker, make_broker: MakeBroker, producer: str
    ) -> None:
        [topology] = await self._bound(broker, producer, "a")
        await broker.publish(exchange_of(producer), envelope(producer, "e"))
        other = await make_broker()
        await self._bound(other, producer, "a")
        assert await eventually(lambda: other.queued(topology)) == 1

    async def test_a_key_stays_in_one_partition_and_in_order(self, broker: Broker, producer: str) -> None:
        [topology] = await self._bound(broker, producer, "a", partitions=4)
        keys = [f"key-{n}" for n in range(32)]
        receivers = [Receiver() for _ in range(4)]
        async with AsyncExitStack() as stack:
            for partition, receiver in enumerate(receivers):
                await stack.enter_async_context(broker.consume(topology, partition, receiver))
            await asyncio.gather(*(self._publish_in_order(broker, producer, key) for key in keys))
            await eventually(lambda: sum(len(receiver.got) for receiver in receivers) == 5 * 32)
        by_partition = [receiver.got for receiver in receivers]
        for key in keys:
            found = [[id for id in got if id.startswith(f"{key}/")] for got in by_partition]
            assert found.pop(topology.partition_of(key)) == [f"{key}/{n}" for n in range(5)]
            assert not any(found)

    async def _publish_in_order(self, broker: Broker, producer: str, key: str) -> None:
        for n in range(5):
            await broker.publish(exchange_of(producer), envelope(producer, f"{key}/{n}", key=key))

    async def test_what_is_replayed_reaches_one_context_alone_and_says_so(self, broker: Broker, producer: str) -> None:
        wanting, other = await self._bound(broker, producer, "a", "b")
        sent = envelope(producer, "thing-k@1#1")
        await broker.redeliver(wanting, sent, "r-1")
        await broker.publish(exchange_of(producer), envelope(producer, "live"))
        receiver, others = Receiver(), Receiver()
        async with broker.consume(wanting, 0, receiver), broker.consume(other, 0, others):
            await eventually(lambda: len(receiver.got) == 2 and others.got)
            assert parse(receiver.deliveries[0].headers, receiver.deliveries[0].body) == sent
            assert [named(delivery.headers, REPLAY_HEADER) for delivery in receiver.deliveries] == ["r-1", ""]
            assert others.got == ["live"]

    async def test_the_end_of_a_replay_comes_behind_all_in_the_partition_it_is_for(
        self, broker: Broker, producer: str
    ) -> None:
        [topology] = await self._bound(broker, producer, "a", partitions=2)
        for n in range(20):
            await broker.redeliver(topology, envelope(producer, f"e{n}", key=str(n)), "r-1")
        await broker.end_replay(topology, 1, "r-1")
        receivers = [Receiver(), Receiver()]
        async with broker.consume(topology, 0, receivers[0]), broker.consume(topology, 1, receivers[1]):
            await eventually(lambda: sum(len(receiver.deliveries) for receiver in receivers) == 21)
        ends = [[named(delivery.headers, END_HEADER) for delivery in receiver.deliveries] for receiver in receivers]
        assert not any(ends[0])
        assert ends[1] == [*[""] * (len(ends[1]) - 1), "r-1"]

    async def test_the_end_of_a_replay_needs_its_partition(self, broker: Broker, producer: str) -> None:
        [topology] = await self._bound(broker, producer, "a")
        with pytest.raises(Unroutable):
            await broker.end_replay(topology, 1, "r-1")

    async def test_unacknowledged_events_come_again_first_and_in_order(self, broker: Broker, producer: str) -> None:
        [topology] = await self._bound(broker, producer, "a")
        for n in range(5):
            await broker.publish(exchange_of(producer), envelope(producer, f"e{n}"))
        first, second = Receiver(), Receiver()
        async with broker.consume(topology, 0, first):
            await eventually(lambda: len(first.got) == 5)
            await first.deliveries[0].ack()
            await first.deliveries[2].ack()
        await broker.publish(exchange_of(producer), envelope(producer, "e5"))
        async with broker.consume(topology, 0, second):
            await eventually(lambda: len(second.got) == 4)
            assert second.got == ["e1", "e3", "e4", "e5"]

    async def test_what_was_not_delivered_yet_never_overtakes_what_comes_again(
        self, broker: Broker, producer: str
    ) -> None:
        [topology] = await self._bound(broker, producer, "a")
        first, second = Receiver(), Receiver()
        events = [f"e{n}" for n in range(300)]
        for id in events:
            await broker.publish(exchange_of(producer), envelope(producer, id))
        async with broker.consume(topology, 0, first):
            await eventually(lambda: first.got)
        async with broker.consume(topology, 0, second):
            got: list[str] = []
            while len(got) < len(events):
                await eventually(lambda: second.deliveries)
                got += await second.ack_all()
        assert got == events

    async def test_acknowledged_events_do_not_come_again(self, broker: Broker, producer: str) -> None:
        [topology] = await self._bound(broker, producer, "a")
        first, second = Receiver(), Receiver()
        await broker.publish(exchange_of(producer), envelope(producer, "done"))
        async with broker.consume(topology, 0, first):
            await eventually(lambda: first.got)
            await first.ack_all()
            await eventually(lambda: _is_empty(broker, topology))
        await broker.publish(exchange_of(producer), envelope(producer, "next"))
        async with broker.consume(topology, 0, second):
            await eventually(lambda: second.got)
            assert second.got == ["next"]

    async def test_one_consumer_of_a_partition_is_active(
        self, broker: Broker, make_broker: MakeBroker, producer: str
    ) -> None:
        [topology] = await self._bound(broker, producer, "a")
        other = await make_broker()
        first, second = Receiver(), Receiver()
        async with AsyncExitStack() as waiting, broker.consume(topology, 0, first):
            with suppress(BrokerAway):  # the broker may also refuse a second consumer
                await waiting.enter_async_context(other.consume(topology, 0, second))
            for n in range(10):
                await broker.publish(exchange_of(producer), envelope(producer, f"e{n}"))
            await eventually(lambda: len(first.got) == 10)
            assert not second.got

    async def test_the_next_consumer_takes_over_in_order(
        self, broker: Broker, make_broker: MakeBroker, producer: str
    ) -> None:
        [topology] = await self._bound(broker, producer, "a")
        first, second = Receiver(), Receiver()
        async with broker.consume(topology, 0, first):
            for n in range(3):
                await broker.publish(exchange_of(producer), envelope(producer, f"e{n}"))
            await eventually(lambda: len(first.got) == 3)
        async with (await make_broker()).consume(topology, 0, second):
            await eventually(lambda: len(second.got) == 3)
            assert second.got == ["e0", "e1", "e2"]

    async def test_queued_counts_what_waits_for_a_consumer(self, broker: Broker, producer: str) -> None:
        [topology] = await self._bound(broker, producer, "a", partitions=3)
        for n in range(6):
            await broker.publish(exchange_of(producer), envelope(producer, f"e{n}", key=str(n)))
        await eventually(lambda: _is_queued(broker, topology, 6))
        async with AsyncExitStack() as stack:
            receiver = Receiver()
            for partition in range(3):
                await stack.enter_async_context(broker.consume(topology, partition, receiver))
            await eventually(lambda: len(receiver.got) == 6)
            await receiver.ack_all()
            await eventually(lambda: _is_empty(broker, topology))


async def _is_queued(broker: Broker, topology: Topology, count: int) -> bool:
    return await broker.queued(topology) == count


async def _is_empty(broker: Broker, topology: Topology) -> bool:
    return await _is_queued(broker, topology, 0)
