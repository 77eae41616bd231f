"""What a context has at RabbitMQ, made in an order in which no event can fall between two steps.

The inbox is a consistent-hash exchange on the partition key, in front of quorum queues with a single active consumer.
The queues are there before the hash exchange is bound to a producer. Declaring what is there already is a check: the
broker refuses other arguments. Partitions are never changed in place, because rebinding one queue moves every key.
"""

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aiormq.abc import ArgumentsType

from treaty.messaging.broker import Topology, exchange_of
from treaty.messaging.envelope import PARTITION_HEADER

MAX_DELIVERIES = 100_000
"""Our own attempts are counted elsewhere; the broker's bound must never be the one that drops a message."""

_QUEUE: ArgumentsType = {
    "x-queue-type": "quorum",
    "x-single-active-consumer": True,
    "x-delivery-limit": MAX_DELIVERIES,
}


async def declare(channel: AbstractChannel, topology: Topology) -> None:
    """Declares the exchanges, queues and bindings of a context."""
    await channel.declare_exchange(topology.exchange, ExchangeType.TOPIC, durable=True)
    if not topology.subscribes:
        return
    inbox = await channel.declare_exchange(
        topology.inbox,
        ExchangeType.X_CONSISTENT_HASH,
        durable=True,
        arguments={"hash-header": PARTITION_HEADER},
    )
    for partition in range(topology.partitions):
        queue = await channel.declare_queue(topology.queue(partition), durable=True, arguments=_QUEUE)
        await queue.bind(inbox, routing_key="1")
    for producer, types in topology.subscribes.items():
        source = await channel.declare_exchange(exchange_of(producer), ExchangeType.TOPIC, durable=True)
        for type in types:
            await inbox.bind(source, routing_key=type)
