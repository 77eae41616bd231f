"""The port of the message broker: confirmed publishing, and partitions that deliver each key in order."""

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from treaty.messaging.envelope import Envelope

SLOTS = 64
"""An inbox assigns slots to its partitions, not keys: the broker compares a slot with the ones that a partition has."""


def slot_of(key: str) -> int:
    """Returns the slot of a partition key, from 0 to 63: its CRC-32 (ISO 3309), modulo 64."""
    return zlib.crc32(key.encode(errors="surrogatepass")) % SLOTS


class Unroutable(Exception):
    """No queue is bound to this type of event. It was not stored anywhere but in the commit log."""


class NotAccepted(Exception):
    """The broker said no to this very message. Others may go through."""


class BrokerAway(Exception):
    """The broker cannot be reached, or the outcome is unknown: publish the same event again."""


class BrokerRefused(BrokerAway):
    """The broker can be reached, and refuses this process: its user, its password or what it may do there."""


class TopologyDiffers(Exception):
    """The objects at the broker under our names differ from the declared ones. A person must look."""


class MayDrop(TopologyDiffers):
    """Everything is declared, but a policy lets the broker drop messages. What is read soon is not dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """The exchanges and queues of one context.

    Attributes:
        context: such as commerce.ordering; it publishes to the exchange `<context>.events`.
        publishes: the full names of its integration events.
        subscribes: by producing context, the full names of the events that it wants.
        partitions: into how many queues `<context>.q0`… its inbox is split, at most 64; never changed in place.
    """

    context: str
    publishes: Sequence[str]
    subscribes: Mapping[str, Sequence[str]]
    partitions: int

    @property
    def exchange(self) -> str:
        return exchange_of(self.context)

    def queue(self, partition: int) -> str:
        return f"{self.context}.q{partition}"

    def partition_of(self, key: str) -> int:
        """Returns the partition of a key: the slots take turns."""
        return slot_of(key) % self.partitions


def exchange_of(context: str) -> str:
    """Returns the exchange that a context publishes to."""
    return f"{context}.events"


class Delivery(Protocol):
    """A received message. The broker redelivers it unless it is acknowledged."""

    @property
    def headers(self) -> Mapping[str, object]: ...

    @property
    def body(self) -> bytes: ...

    async def ack(self) -> None:
        """Acknowledges the message. If the channel is lost before, the message comes again."""
        ...


class Broker(Protocol):
    """Carries integration events between contexts. Every implementation passes `treaty.testing.suites.broker`."""

    async def declare(self, topology: Topology) -> None:
        """Makes the context's exchanges, queues and bindings, and checks that they are as asked for.

        Raises:
            TopologyDiffers, BrokerAway
        """
        ...

    async def publish(self, exchange: str, envelope: Envelope) -> None:
        """Returns when the broker has the event in every queue that is bound to its producer's exchange.

        Raises:
            Unroutable, NotAccepted, BrokerAway
        """
        ...

    async def redeliver(self, topology: Topology, envelope: Envelope, replay: str) -> None:
        """Returns when the inbox of one context has the event, with the replay it is part of in a header of its own.

        Raises:
            Unroutable, NotAccepted, BrokerAway
        """
        ...

    async def end_replay(self, topology: Topology, partition: int, replay: str) -> None:
        """Returns when the partition has the mark of a replay's end, behind all that it has been given before.

        Raises:
            Unroutable, NotAccepted, BrokerAway
        """
        ...

    def consume(
        self, topology: Topology, partition: int, receive: Callable[[Delivery], None]
    ) -> AbstractAsyncContextManager[asyncio.Event]:
        """Opens a partition: messages go to `receive`, in order, until the block is left, which closes the channel.

        The event is set when the channel is lost; then what was not acknowledged comes again, first and in order.

        Raises:
            BrokerAway
        """
        ...

    async def queued(self, topology: Topology) -> int:
        """Returns how many messages wait in the context's partitions.

        Those that a consumer has and did not acknowledge yet may be left out.
        """
        ...
