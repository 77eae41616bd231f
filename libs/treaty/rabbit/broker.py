"""The broker on RabbitMQ: one connection to publish and one to consume; a broken one is replaced by a new one.

The connections are aio-pika's plain ones. Its robust connections restore channels without a notice; with plain ones,
the toolkit detects a lost channel and drops the messages in its buffers.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import parse_qs, urlsplit, urlunsplit

import structlog
from aio_pika.abc import AbstractChannel
from aiormq.abc import DeliveredMessage

from treaty.chance import Ids
from treaty.concurrency.guarded import guarding
from treaty.messaging.broker import BrokerAway, Delivery, NotAccepted, Topology, slot_of
from treaty.messaging.envelope import CONTENT_TYPE, Envelope
from treaty.messaging.replays import END_HEADER, REPLAY_HEADER
from treaty.rabbit.acks import Acks
from treaty.rabbit.channels import CLOSE_LARGE_SECONDS, CLOSE_SECONDS, FAILURES, close, depth, watch
from treaty.rabbit.inboxes import Inboxes
from treaty.rabbit.link import Link
from treaty.rabbit.policies import Policies
from treaty.rabbit.properties import bounded, persistent
from treaty.rabbit.publisher import Publisher
from treaty.rabbit.topology import SLOT_HEADER
from treaty.rabbit.window import Window

logger = structlog.get_logger()


class RabbitBroker:
    """Carries events over RabbitMQ 3.10 or later.

    Args:
        url: amqp(s)://…, or a function that returns it, which is called before each connection.
        name: a prefix of the names of the connections.
        prefetch: unacknowledged messages per partition; fewer while they are large (`treaty.rabbit.window`).
        timeout: seconds for each request to the broker; after that the outcome is unknown.
        heartbeat: seconds between AMQP heartbeats, unless the URL has its own. The broker gives the messages of a
            frozen process to another one after about 2.4 of them; 0 leaves it to the broker (60 s).
        policies: checked with each declaration; by default they are not.
    """

    def __init__(
        self,
        url: str | Callable[[], str],
        *,
        name: str,
        ids: Ids,
        prefetch: int = 128,
        timeout: float = 5.0,
        heartbeat: int = 0,
        policies: Policies | None = None,
    ) -> None:

        def now() -> str:
            return _with_heartbeat(url if isinstance(url, str) else url(), heartbeat)

        self._publishing = Link(now, f"{name} publishing", timeout)
        self._consuming = Link(now, f"{name} consuming", timeout)
        self._ids, self._prefetch, self._timeout = ids, prefetch, timeout
        self._windows: dict[str, Window] = {}
        self._attempts = 0
        self._publisher = Publisher(self._publishing, timeout)
        self._inboxes = Inboxes(self._consuming, timeout, policies)
        self._run = ids.new()[:8]

    async def close(self) -> None:
        """Closes both connections."""
        await self._publishing.close()
        await self._consuming.close()

    async def declare(self, topology: Topology) -> None:
        await self._inboxes.declare(topology)

    async def layout(self, topology: Topology) -> str:
        """Returns the name of the layout of a context's inbox: slots, or hashed for the older one.

        Raises:
            BrokerAway
        """
        return (await self._inboxes.layout(topology)).name

    async def publish(self, exchange: str, envelope: Envelope) -> None:
        await self._publish(exchange, envelope)

    async def redeliver(self, topology: Topology, envelope: Envelope, replay: str) -> None:
        try:
            await self._publish(await self._inboxes.entry(topology), envelope, {REPLAY_HEADER: replay})
        except BrokerAway:
            self._inboxes.forget(topology)  # the inbox may be gone
            raise

    async def _publish(self, exchange: str, envelope: Envelope, more: Mapping[str, str] | None = None) -> None:
        self._attempts += 1
        beside = {
            SLOT_HEADER: str(slot_of(envelope.partition_key)),
            "traceparent": envelope.trace,
            "tracestate": envelope.tracestate,
            "baggage": envelope.baggage,
            **(more or {}),
        }
        try:
            properties = persistent(
                {**envelope.headers(), **{name: value for name, value in beside.items() if value}},
                content_type=CONTENT_TYPE,
                message_id=bounded(f"{envelope.id}/{self._run}-{self._attempts}"),
                correlation_id=bounded(envelope.correlation),
                time=envelope.time,
                type=bounded(envelope.type),
                app_id=bounded(envelope.producer),
            )
        except ValueError as error:
            raise NotAccepted(f"{envelope.id}: {type(error).__name__}: {error}") from error
        await self._publisher.publish(exchange, envelope.type, properties, envelope.body, envelope.id)

    async def end_replay(self, topology: Topology, partition: int, replay: str) -> None:
        self._attempts += 1
        properties = persistent(
            {END_HEADER: replay}, message_id=f"{END_HEADER}/{self._run}-{self._attempts}", type=END_HEADER
        )
        queue = await self._inboxes.last(topology, partition)
        await self._publisher.publish("", queue, properties, b"", f"the end of {replay}")

    @asynccontextmanager
    async def consume(
        self, topology: Topology, partition: int, receive: Callable[[Delivery], None]
    ) -> AsyncIterator[asyncio.Event]:
        name = await self._inboxes.queue(topology, partition)
        window = self._windows.setdefault(name, Window(self._prefetch))
        prefetch = window.count
        channel = await self._consuming.channel(publisher_confirms=False)
        lost = asyncio.Event()
        channel.close_callbacks.add(lambda *_: lost.set())

        async def on_message(message: DeliveredMessage) -> None:
            if lost.is_set():
                return  # it comes again
            if window.admits(len(message.body)):
                tag = message.delivery_tag or 0
                acks.deliver(tag)
                receive(_RabbitDelivery(message, partial(acks.ack, tag)))
            else:
                logger.info("the prefetch changes with the size of messages", queue=name, prefetch=window.count)
                lost.set()

        try:
            async with asyncio.timeout(2 * self._timeout):
                with guarding():
                    await channel.set_qos(prefetch_count=prefetch)
                    underlay = await channel.get_underlay_channel()
                    acks = Acks(underlay)
                    consuming = await underlay.basic_consume(name, on_message)
        except FAILURES as error:
            lost.set()  # the consumer may be there all the same
            self._inboxes.forget(topology)  # the queue may be gone
            await self._end(channel, CLOSE_SECONDS)
            raise BrokerAway(f"{type(error).__name__}: {error}") from error
        watching = asyncio.create_task(watch(channel, str(consuming.consumer_tag), lost))
        try:
            yield lost
        finally:
            lost.set()
            watching.cancel()
            await self._end(channel, CLOSE_SECONDS if window.count == prefetch else CLOSE_LARGE_SECONDS)

    async def _end(self, channel: AbstractChannel, seconds: float) -> None:
        """Closes a channel with a consumer; if that cannot be done in time, its whole connection.

        A consumer that stays would get the messages of its partition, and nobody would handle them.
        """
        if not await close(channel, seconds):
            await self._consuming.close()

    async def queued(self, topology: Topology) -> int:
        queues = await self._inboxes.queues(topology)
        channel = await self._consuming.channel(publisher_confirms=False)
        try:
            async with asyncio.timeout(self._timeout):
                with guarding():
                    counts = [await depth(channel, queue) for queue in queues]
        except FAILURES as error:
            raise BrokerAway(f"{type(error).__name__}: {error}") from error
        finally:
            await close(channel)
        return sum(counts)


class _RabbitDelivery:
    def __init__(self, message: DeliveredMessage, ack: Callable[[], Awaitable[None]]) -> None:
        self.headers: Mapping[str, object] = message.header.properties.headers or {}
        self.body = message.body
        self._ack = ack

    async def ack(self) -> None:
        await self._ack()


def _with_heartbeat(url: str, seconds: int) -> str:
    """Returns the URL with a heartbeat, unless it has one."""
    parts = urlsplit(url)
    if not seconds or "heartbeat" in parse_qs(parts.query):
        return url
    return urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, f"heartbeat={seconds}"]))))
