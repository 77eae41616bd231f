"""The topology of a context at RabbitMQ, declared in an order that loses no event between two steps.

The inbox is a headers exchange in front of quorum queues with a single active consumer. It has a binding for each slot
(`treaty.messaging.broker.slot_of`), so the queue of a key depends on nothing but the key. A message without a slot goes
to the first queue. The queues exist before the inbox is bound to a producer. Declaring an existing object checks it:
the broker refuses other arguments.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange
from aiormq.abc import ArgumentsType

from treaty.messaging.broker import SLOTS, Topology, exchange_of

SLOT_HEADER = "treaty-slot"
"""Beside the envelope of an event: the slot of its partition key, in decimal digits."""

MAX_DELIVERIES = 100_000
"""The broker's limit of deliveries: so high that it never drops a message; the toolkit counts its own attempts."""

_QUEUE: ArgumentsType = {
    "x-queue-type": "quorum",
    "x-single-active-consumer": True,
    "x-delivery-limit": MAX_DELIVERIES,
    "x-overflow": "reject-publish",
}


class Layout(Protocol):
    """The names and the bindings of an inbox at the broker."""

    def inbox(self, topology: Topology) -> str:
        """Returns the exchange that puts a message into the partition of its key."""
        ...

    def queue(self, topology: Topology, partition: int) -> str:
        """Returns the queue of a partition."""
        ...

    async def declare(self, channel: AbstractChannel, topology: Topology, *, slots: bool) -> AbstractExchange:
        """Declares the inbox, which no producer is bound to yet; returns its exchange.

        Args:
            slots: declare the bindings of the slots too. There are many, so this is not done each time.
        """
        ...


class Slots:
    """The layout of every new inbox."""

    name = "slots"

    @property
    def entry(self) -> "Slots":
        """The layout of the inbox that takes what comes now."""
        return self

    def inbox(self, topology: Topology) -> str:
        return f"{topology.context}.slots"

    def queue(self, topology: Topology, partition: int) -> str:
        return topology.queue(partition)

    async def declare(self, channel: AbstractChannel, topology: Topology, *, slots: bool) -> AbstractExchange:
        queues = [
            await channel.declare_queue(topology.queue(partition), durable=True, arguments=_QUEUE)
            for partition in range(topology.partitions)
        ]
        # Another number of partitions gives another name, which the broker refuses for the inbox that is there.
        rest = f"{self.inbox(topology)}.rest-of-{topology.partitions}"
        alternate = await channel.declare_exchange(rest, ExchangeType.FANOUT, durable=True)
        await queues[0].bind(alternate)
        inbox = await channel.declare_exchange(
            self.inbox(topology), ExchangeType.HEADERS, durable=True, arguments={"alternate-exchange": rest}
        )
        for slot in range(SLOTS if slots else 0):
            arguments: ArgumentsType = {"x-match": "all", SLOT_HEADER: str(slot)}
            await queues[slot % topology.partitions].bind(inbox, arguments=arguments)
        return inbox


async def declare_exchange(channel: AbstractChannel, topology: Topology) -> None:
    """Declares the exchange that a context publishes to."""
    await channel.declare_exchange(topology.exchange, ExchangeType.TOPIC, durable=True)


async def bind(channel: AbstractChannel, inbox: AbstractExchange, subscribes: Mapping[str, Sequence[str]]) -> None:
    """Binds an inbox to its producers, by event type."""
    for producer, types in subscribes.items():
        source = await channel.declare_exchange(exchange_of(producer), ExchangeType.TOPIC, durable=True)
        for type in types:
            await inbox.bind(source, routing_key=type)
