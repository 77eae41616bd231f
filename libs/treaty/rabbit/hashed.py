"""The older layout of an inbox, which is still used where it is found, and how to leave it.

A consistent-hash exchange on the partition key stands in front of the queues. RabbitMQ makes its assignment of keys to
queues again at each start, in no fixed order, so a restart of the broker may move keys between queues.
"""

from collections.abc import Awaitable, Callable, Sequence

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity
from aiormq.abc import ArgumentsType

from treaty.messaging.broker import Topology
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
        is_left: the inbox is being moved to the layout `Slots`: it is read to its end, and only the renewal declares
            anything of it.
        is_cut: its exchange is gone, so that everything new is in the new inbox alone.
    """

    name = "hashed"

    def __init__(self, *, is_left: bool = False, is_cut: bool = False) -> None:
        self.is_left, self.is_cut = is_left, is_cut

    @property
    def entry(self) -> "Slots | Hashed":
        """The layout of the inbox that takes what comes now."""
        return Slots() if self.is_cut else self

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
        for queue in await self.declare_queues(channel, topology):
            await queue.bind(inbox, routing_key="1")
        return inbox

    async def declare_queues(self, channel: AbstractChannel, topology: Topology) -> Sequence[AbstractQueue]:
        return [
            await channel.declare_queue(self.queue(topology, partition), durable=True, arguments=_QUEUE)
            for partition in range(topology.partitions)
        ]

    async def cut(self, channel: AbstractChannel, topology: Topology) -> None:
        """Ends the flow into the inbox, for all types of events at once; a sign says that its queues are still read.

        To unbind one type after another would let an event of one type overtake an earlier one of another type.
        """
        await channel.declare_exchange(_sign(topology), ExchangeType.FANOUT, durable=True)
        await channel.exchange_delete(self.inbox(topology))

    async def delete(self, channel: AbstractChannel, topology: Topology) -> None:
        """Deletes the inbox, with all that is in it."""
        await channel.exchange_delete(self.inbox(topology))
        for partition in range(topology.partitions):
            await channel.queue_delete(self.queue(topology, partition))
        await channel.exchange_delete(_sign(topology))


async def layout_of(topology: Topology, channel: Open) -> Slots | Hashed:
    """Returns the layout of a context's inbox at the broker."""
    if not topology.subscribes:
        return Slots()
    is_whole = await _exists(Hashed().inbox(topology), channel)
    is_cut = await _exists(_sign(topology), channel)  # the sign is there before the exchange goes
    if not is_whole and not is_cut:
        return Slots()
    return Hashed(is_left=is_cut or await _exists(Slots().inbox(topology), channel), is_cut=is_cut)


def _sign(topology: Topology) -> str:
    """Returns the exchange whose existence says that an inbox has been cut and that its queues are still read."""
    return f"{topology.context}.leaving"


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
