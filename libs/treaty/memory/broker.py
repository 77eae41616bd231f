"""A broker in memory: exchanges, partitions by the slots of keys, confirms, redelivery and faults."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from treaty.messaging.ack_window import AckWindow
from treaty.messaging.broker import BrokerAway, Delivery, NotAccepted, Topology, TopologyDiffers, Unroutable
from treaty.messaging.envelope import Envelope
from treaty.messaging.replays import END_HEADER, REPLAY_HEADER


@dataclass(slots=True)
class _Message:
    headers: Mapping[str, object]
    body: bytes


@dataclass(slots=True)
class _Queue:
    ready: deque[_Message] = field(default_factory=deque)
    unacked: dict[int, _Message] = field(default_factory=dict)
    consumer: "_Channel | None" = None
    delivered: int = 0

    def push(self) -> None:
        """Delivers ready messages to the consumer, up to its prefetch."""
        while self.ready and self.consumer is not None and len(self.unacked) < self.consumer.prefetch:
            message = self.ready.popleft()
            self.delivered += 1
            self.unacked[self.delivered] = message
            self.consumer.window.deliver(self.delivered)
            self.consumer.receive(_MemoryDelivery(self, self.consumer, self.delivered, message))

    def ack(self, tag: int, *, multiple: bool) -> None:
        for one in [one for one in self.unacked if one == tag or (multiple and one < tag)]:
            del self.unacked[one]

    def requeue(self) -> None:
        """Puts the unacknowledged messages back at the front, in order."""
        self.ready.extendleft(reversed(self.unacked.values()))
        self.unacked.clear()


@dataclass(slots=True)
class _Channel:
    receive: Callable[[Delivery], None]
    prefetch: int
    owner: object
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    window: AckWindow = field(default_factory=AckWindow)


class _MemoryDelivery:
    def __init__(self, queue: _Queue, channel: _Channel, tag: int, message: _Message) -> None:
        self._queue, self._channel, self._tag = queue, channel, tag
        self.headers, self.body = message.headers, message.body

    async def ack(self) -> None:
        self._channel.window.finish(self._tag)
        await asyncio.sleep(0)  # for all others of this turn
        if self._queue.consumer is self._channel:
            for tag, multiple in self._channel.window.due():
                self._queue.ack(tag, multiple=multiple)
            self._queue.push()


class MemoryBroker:
    """Carries events between contexts of one process.

    Attributes:
        away: a fault: publishing fails.
        refused: a fault: the ids of events that the broker does not accept.
        twice: a fault: every event is delivered twice.
    """

    def __init__(self, *, prefetch: int = 64) -> None:
        self.away = False
        self.twice = False
        self.refused: set[str] = set()
        self.published: list[Envelope] = []
        self._prefetch = prefetch
        self._bindings: dict[tuple[str, str], set[str]] = {}
        self._inboxes: dict[str, list[_Queue]] = {}
        self._topologies: dict[str, Topology] = {}

    async def declare(self, topology: Topology) -> None:
        queues = self._inboxes.setdefault(topology.context, [_Queue() for _ in range(topology.partitions)])
        if len(queues) != topology.partitions:
            raise TopologyDiffers(f"{topology.context} has {len(queues)} partitions; the number cannot change in place")
        self._topologies[topology.context] = topology
        for producer, types in topology.subscribes.items():
            for type in types:
                self._bindings.setdefault((f"{producer}.events", type), set()).add(topology.context)

    def unbind(self, *types: str) -> None:
        """Removes the bindings of some types of events, or all bindings, as an operator does by mistake.

        A consumer that declares its topology again restores its bindings.
        """
        self._bindings = {key: who for key, who in self._bindings.items() if types and key[1] not in types}

    async def publish(self, exchange: str, envelope: Envelope) -> None:
        await self._reach(envelope)
        contexts = self._bindings.get((exchange, envelope.type), set())
        self.published.append(envelope)
        if not contexts:
            raise Unroutable(envelope.type)
        for context in contexts:
            self.deliver(context, envelope)

    async def redeliver(self, topology: Topology, envelope: Envelope, replay: str) -> None:
        await self._reach(envelope)
        if topology.context not in self._inboxes:
            raise Unroutable(envelope.type)
        self.deliver(topology.context, envelope, replay=replay)

    async def end_replay(self, topology: Topology, partition: int, replay: str) -> None:
        await self._reach()
        queues = self._inboxes.get(topology.context, ())
        if partition >= len(queues):
            raise Unroutable(topology.queue(partition))
        queues[partition].ready.append(_Message({END_HEADER: replay}, b""))
        queues[partition].push()

    async def _reach(self, envelope: Envelope | None = None) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise BrokerAway("the broker is away")
        if envelope is not None and envelope.id in self.refused:
            raise NotAccepted(envelope.id)

    def inbox(self, context: str) -> Sequence[Mapping[str, object]]:
        """Returns the headers of all messages in the partitions of a context, those of its consumers included."""
        queues = self._inboxes.get(context, ())
        return [message.headers for queue in queues for message in (*queue.unacked.values(), *queue.ready)]

    def deliver(self, context: str, envelope: Envelope, *, replay: str = "") -> None:
        """Puts an event into the inbox of a context; used by tests, and for duplicates."""
        headers = {**envelope.headers(), **({REPLAY_HEADER: replay} if replay else {})}
        queue = self._inboxes[context][self._topologies[context].partition_of(envelope.partition_key)]
        for _ in range(2 if self.twice else 1):
            queue.ready.append(_Message(headers, envelope.body))
        queue.push()

    def lose_queued(self, context: str) -> Sequence[Mapping[str, object]]:
        """Drops the messages that no consumer has, as a purge does; returns their headers."""
        lost = []
        for queue in self._inboxes.get(context, ()):
            lost += [message.headers for message in queue.ready]
            queue.ready.clear()
        return lost

    async def lose_channels(self) -> None:
        """Closes the channels of all consumers, as a restart of the broker does."""
        self.drop()
        await asyncio.sleep(0)

    def drop(self, owner: object = None) -> None:
        """Closes the channels of one owner, by default of all, as a broker does for a silent peer."""
        for queues in self._inboxes.values():
            for queue in queues:
                if queue.consumer is not None and owner in (None, queue.consumer.owner):
                    queue.consumer.lost.set()
                    queue.consumer = None
                    queue.requeue()

    @asynccontextmanager
    async def consume(
        self, topology: Topology, partition: int, receive: Callable[[Delivery], None], *, owner: object = None
    ) -> AsyncIterator[asyncio.Event]:
        queue = self._inboxes[topology.context][partition]
        if self.away or queue.consumer is not None:
            raise BrokerAway(f"{topology.queue(partition)} cannot be consumed now")
        channel = queue.consumer = _Channel(receive, self._prefetch, owner)
        try:
            queue.push()
            yield channel.lost
        finally:
            if queue.consumer is channel:
                queue.consumer = None
                queue.requeue()

    async def queued(self, topology: Topology) -> int:
        return sum(len(queue.ready) + len(queue.unacked) for queue in self._inboxes.get(topology.context, ()))
