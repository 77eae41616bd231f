"""The topology of a context at RabbitMQ, declared in an order that loses no event between two steps.

The inbox is a consistent-hash exchange on the partition key, in front of quorum queues with a single active consumer.
The queues exist before the hash exchange is bound to a producer. Declaring an existing object checks it: the broker
refuses other arguments. The number of partitions never changes in place, because rebinding one queue moves every key.
"""

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aiormq.abc import ArgumentsType

from treaty.messaging.broker import Topology, exchange_of
from treaty.messaging.envelope import PARTITION_HEADER

MAX_DELIVERIES = 100_000
"""The broker's limit of deliveries: so high that it never drops a message; the toolkit counts its own attempts."""

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
