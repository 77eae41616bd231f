"""The contract suite of a broker on RabbitMQ."""

from collections.abc import AsyncIterator

import pytest
from treaty.broker import Broker, BrokerAway
from treaty.ports import RandomIds
from treaty.rabbit.broker import RabbitBroker
from treaty.testing.broker_suite import BrokerSuite, MakeBroker, subscriber


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

    async def test_another_number_of_partitions_is_noticed_when_a_queue_differs(self, broker: Broker) -> None:
        """A queue that is there with other arguments is not what was declared, and must not be used as if it were."""
        import aio_pika

        topology = subscriber("test.differs", "test.producer")
        assert isinstance(broker, RabbitBroker)
        channel = await broker._consuming.channel()
        await channel.declare_queue(topology.queue(0), durable=True, arguments={"x-queue-type": "classic"})
        with pytest.raises(BrokerAway, match="not as declared"):
            await broker.declare(topology)
        assert isinstance(channel, aio_pika.abc.AbstractChannel)


async def test_a_broker_that_is_away_is_called_that() -> None:
    broker = RabbitBroker("amqp://guest:guest@127.0.0.1:1/", name="test", ids=RandomIds(), timeout=1.0)
    with pytest.raises(BrokerAway):
        await broker.declare(subscriber("test.away", "test.producer"))
    await broker.close()
