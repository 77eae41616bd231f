"""The contract suite of a broker on RabbitMQ."""

from collections.abc import AsyncIterator

import aio_pika
import pytest
from treaty.chance import RandomIds
from treaty.messaging.broker import Broker, BrokerAway, TopologyDiffers
from treaty.rabbit.broker import RabbitBroker, _with_heartbeat
from treaty.testing.suites.broker import BrokerSuite, MakeBroker, subscriber


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
