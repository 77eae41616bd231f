"""The older layout of an inbox, which is still used where it is found, and how to leave it.

A consistent-hash exchange on the partition key stands in front of the queues. RabbitMQ makes its assignment of keys to
queues again at each start, in no fixed order, so a restart of the broker may move keys between queues.
"""

from collections.abc import Awaitable, Callable

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange
from aio_pika.exceptions import ChannelNotFoundEntity
from aiormq.abc import ArgumentsType

from treaty.messaging.broker import Topology, exchange_of
from treaty.messaging.envelope import PARTITION_HEADER
from treaty.rabbit.channels import close
from treaty.rabbit.topology import MAX_DELIVERIES, Slots

_QUEUE: ArgumentsType = {
    "x-queue-type": "quorum",
    "x-single-active-consumer": True,
    "x-delivery-limit": MAX_DELIVERIES,
}

Open = Callable[[], Awaitable[AbstractChannel]]


class Hashed:
    """The older layout.

    Attributes:
        is_left: the inbox is being moved to the layout `Slots`: it is read to its end, and bound to no producer.
    """

    name = "hashed"

    def __init__(self, *, is_left: bool = False) -> None:
        self.is_left = is_left

    def inbox(self, topology: Topology) -> str:
        return f"{topology.context}.inbox"

    def queue(self, topology: Topology, partition: int) -> str:
        return f"{topology.context}.p{partition}"

    async def declare(self, channel: AbstractChannel, topology: Topology, *, slots: bool) -> AbstractExchange:
        inbox = await channel.declare_exchange(
            self.inbox(topology),
            ExchangeType.X_CONSISTENT_HASH,
            durable=True,
            arguments={"hash-header": PARTITION_HEADER},
        )
        for partition in range(topology.partitions):
            queue = await channel.declare_queue(self.queue(topology, partition), durable=True, arguments=_QUEUE)
            await queue.bind(inbox, routing_key="1")
        return inbox

    async def unbind(self, channel: AbstractChannel, topology: Topology) -> None:
        """Unbinds the inbox from its producers."""
        inbox = await channel.get_exchange(self.inbox(topology), ensure=False)
        for producer, types in topology.subscribes.items():
            for type in types:
                await inbox.unbind(exchange_of(producer), routing_key=type)

    async def delete(self, channel: AbstractChannel, topology: Topology) -> None:
        """Deletes the inbox, with all that is in it."""
        for partition in range(topology.partitions):
            await channel.queue_delete(self.queue(topology, partition))
        await channel.exchange_delete(self.inbox(topology))


async def layout_of(topology: Topology, channel: Open) -> Slots | Hashed:
    """Returns the layout of a context's inbox at the broker."""
    if not topology.subscribes or not await _exists(Hashed().inbox(topology), channel):
        return Slots()
    return Hashed(is_left=await _exists(Slots().inbox(topology), channel))


async def _exists(exchange: str, open: Open) -> bool:
    """Returns whether the broker has an exchange. It closes the channel on which it says no."""
    channel = await open()
    try:
        await channel.declare_exchange(exchange, passive=True)
    except ChannelNotFoundEntity:
        return False
    finally:
        await close(channel)
    return True
