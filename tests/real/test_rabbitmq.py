"""The contract suite of a broker on RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import pytest
from treaty.chance import RandomIds
from treaty.messaging.broker import Broker, BrokerAway, Delivery, NotAccepted, TopologyDiffers
from treaty.messaging.envelope import Envelope
from treaty.rabbit.broker import RabbitBroker, _with_heartbeat
from treaty.rabbit.properties import Encoded, persistent
from treaty.rabbit.received import UNREADABLE
from treaty.testing import eventually
from treaty.testing.samples import envelope
from treaty.testing.suites.broker import BrokerSuite, MakeBroker, Receiver, producer_of, subscriber

from scripts.lib.dev.rabbitmq import MAX_MESSAGE_SIZE
from scripts.lib.prove.proxy import proxy


class TestRabbitBroker(BrokerSuite):
    @pytest.fixture
    async def make_broker(self, servers: dict[str, str]) -> AsyncIterator[MakeBroker]:
        brokers: list[RabbitBroker] = []

        async def make() -> Broker:
            brokers.append(RabbitBroker(servers["AMQP_URL"], name="test", ids=RandomIds()))
            return brokers[-1]

        yield make
        for broker in brokers:
            await broker.close()

    async def test_a_queue_with_other_arguments_is_not_what_was_declared(self, servers: dict[str, str]) -> None:
        topology = subscriber("test.differs", "test.producer")
        connection = await aio_pika.connect(servers["AMQP_URL"])
        channel = await connection.channel()
        await channel.declare_queue(topology.queue(0), durable=True, arguments={"x-queue-type": "classic"})
        await connection.close()
        broker = RabbitBroker(servers["AMQP_URL"], name="test", ids=RandomIds())
        with pytest.raises(TopologyDiffers, match="not as declared"):
            await broker.declare(topology)
        await broker.close()

    async def test_an_event_that_is_too_large_for_the_broker_is_refused_alone(
        self, broker: Broker, producer: str
    ) -> None:
        [topology] = await self._bound(broker, producer, "a")
        small = [envelope(producer, f"small-{n}") for n in range(20)]
        large = envelope(producer, "large", body=b"x" * (MAX_MESSAGE_SIZE + 1))

        async def publish(event: Envelope) -> None:
            while True:
                try:
                    return await broker.publish(producer_of(producer).exchange, event)
                except BrokerAway:
                    continue

        async def refused() -> None:
            with pytest.raises(NotAccepted, match="max_message_size"):
                await publish(large)

        await asyncio.gather(*(publish(event) for event in small[:10]), refused(), *(map(publish, small[10:])))
        await refused()
        receiver = Receiver()
        async with broker.consume(topology, 0, receiver):
            await eventually(lambda: {event.id for event in small} <= set(receiver.got))
            assert "large" not in receiver.got

    async def test_what_cannot_be_decoded_in_a_message_of_another_system_ends_no_consumer(
        self, servers: dict[str, str], broker: Broker, producer: str
    ) -> None:
        [topology] = await self._bound(broker, producer, "a")
        event = envelope(producer, "microseconds")
        plain = persistent({**event.headers(), "slot": "0"}, message_id="m", type="").encoded
        flags, time = int.from_bytes(plain[:2]), int(event.time.timestamp() * 1_000_000)
        microseconds = (flags | 1 << 6).to_bytes(2) + plain[2:] + time.to_bytes(8)
        no_text = (1 << 13).to_bytes(2) + (11).to_bytes(4) + b"\x04caf\xe9S" + (1).to_bytes(4) + b"x"
        connection = await aio_pika.connect(servers["AMQP_URL"])
        channel = await (await connection.channel()).get_underlay_channel()
        for properties in (microseconds, no_text):
            await channel.basic_publish(
                event.body,
                exchange=producer_of(producer).exchange,
                routing_key=event.type,
                properties=Encoded("m", properties),
            )
        await connection.close()
        await broker.publish(producer_of(producer).exchange, envelope(producer, "after"))
        deliveries: list[Delivery] = []
        async with broker.consume(topology, 0, deliveries.append) as lost:
            await eventually(lambda: len(deliveries) == 3)
            assert not lost.is_set()
        assert [delivery.headers.get("ce-id") for delivery in deliveries] == ["microseconds", None, "after"]
        assert UNREADABLE in deliveries[1].headers

    async def test_messages_that_were_in_flight_behind_a_large_one_come_again_in_order(
        self, broker: Broker, producer: str
    ) -> None:
        [topology] = await self._bound(broker, producer, "a")
        bodies = [b"x" * (1_000_000 if n == 20 else 10) for n in range(60)]
        for n, body in enumerate(bodies):
            await broker.publish(producer_of(producer).exchange, envelope(producer, f"{n:02}", body=body))
        receiver = Receiver()
        async with broker.consume(topology, 0, receiver) as lost:
            await eventually(lost.is_set)
        assert receiver.got == [f"{n:02}" for n in range(20)]
        receiver.deliveries.clear()
        async with broker.consume(topology, 0, receiver) as lost:
            await eventually(lambda: len(receiver.got) == 32)
            acked: list[str] = []

            async def all_acked() -> bool:
                acked.extend(await receiver.ack_all())
                return acked == [f"{n:02}" for n in range(60)]

            await eventually(all_acked)
            assert not lost.is_set()


async def test_a_broker_that_is_away_is_called_that() -> None:
    broker = RabbitBroker("amqp://guest:guest@127.0.0.1:1/", name="test", ids=RandomIds(), timeout=1.0)
    with pytest.raises(BrokerAway):
        await broker.declare(subscriber("test.away", "test.producer"))
    await broker.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://h/v", "amqp://h/v?heartbeat=7"),
        ("amqp://h/v?timeout=3", "amqp://h/v?timeout=3&heartbeat=7"),
        ("amqp://h/v?heartbeat=30", "amqp://h/v?heartbeat=30"),
    ],
)
def test_the_heartbeat_is_ours_unless_the_url_has_one(url: str, expected: str) -> None:
    assert _with_heartbeat(url, 7) == expected
    assert _with_heartbeat(url, 0) == url


async def test_events_that_were_given_up_while_the_broker_reads_nothing_are_not_sent_later(
    servers: dict[str, str],
) -> None:
    """The relay publishes such an event again and again. What the socket has not taken by then is never sent."""
    url = urlsplit(servers["AMQP_URL"])
    async with proxy(lambda: url.port or 5672) as slow:
        through = urlunsplit(url._replace(netloc=url.netloc.replace(f":{url.port}", f":{slow.port}")))
        publishing = RabbitBroker(through, name="test", ids=RandomIds(), timeout=0.3)
        looking = RabbitBroker(servers["AMQP_URL"], name="test", ids=RandomIds())
        producer = f"test.p{RandomIds().new()[:8]}"
        topology = subscriber(f"{producer}x", producer)
        for broker, declared in ((publishing, producer_of(producer)), (looking, topology)):
            await broker.declare(declared)
        events = [envelope(producer, f"{n:02}", body=bytes(1_000_000)) for n in range(16)]
        await publishing.publish(producer_of(producer).exchange, envelope(producer, "first"))
        attempts, slow.delay = 0, 6.0

        async def publish(event: Envelope) -> None:
            nonlocal attempts
            while True:
                attempts += 1
                try:
                    return await publishing.publish(producer_of(producer).exchange, event)
                except BrokerAway:
                    await asyncio.sleep(0.1)

        publishes = [asyncio.create_task(publish(event)) for event in events]
        await asyncio.sleep(5.0)
        slow.delay = 0.0
        await asyncio.gather(*publishes)
        assert attempts > 10 * len(events)
        assert len(events) < await looking.queued(topology) < attempts / 3, "no more than sockets hold is sent twice"
        await publishing.close()
        await looking.close()


@pytest.mark.parametrize("asking", ["declare", "queued", "consume", "publish"])
async def test_whoever_asks_a_broker_that_falls_silent_hears_that_it_is_away(
    servers: dict[str, str], asking: str
) -> None:
    """When heartbeats stay away, the client cancels whoever waits for an answer, before the time to wait is over."""
    url = urlsplit(servers["AMQP_URL"])
    async with proxy(lambda: url.port or 5672) as between:
        through = urlunsplit(url._replace(netloc=url.netloc.replace(f":{url.port}", f":{between.port}")))
        broker = RabbitBroker(through, name="test", ids=RandomIds(), heartbeat=1, timeout=60.0)
        producer = f"test.p{RandomIds().new()[:8]}"
        topology = subscriber(f"{producer}x", producer)

        async def consume() -> None:
            async with broker.consume(topology, 0, Receiver()):
                pass

        requests: dict[str, Callable[[], Awaitable[object]]] = {
            "declare": lambda: broker.declare(topology),
            "queued": lambda: broker.queued(topology),
            "consume": consume,
            "publish": lambda: broker.publish(producer_of(producer).exchange, envelope(producer, "e")),
        }
        await broker.declare(producer_of(producer))
        await broker.declare(topology)
        await requests[asking]()
        between.mute = True
        with pytest.raises(BrokerAway):
            await requests[asking]()
        between.mute = False
        await _until_back(requests[asking])
        await broker.close()


async def _until_back(ask: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await ask()
            return
        except BrokerAway:
            await asyncio.sleep(0.1)
