"""The broker on RabbitMQ: one connection to publish and one to consume; a broken one is replaced by a new one.

The connections are aio-pika's plain ones. Its robust connections restore channels without a notice; with plain ones,
the toolkit detects a lost channel and drops the messages in its buffers.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit, urlunsplit

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage
from aio_pika.exceptions import DeliveryError, PublishError
from pamqp.commands import Basic

from treaty.chance import Ids
from treaty.messaging.broker import BrokerAway, Delivery, NotAccepted, Topology, Unroutable, slot_of
from treaty.messaging.envelope import CONTENT_TYPE, Envelope
from treaty.messaging.replays import END_HEADER, REPLAY_HEADER
from treaty.rabbit.channels import CLOSE_LARGE_SECONDS, CLOSE_SECONDS, FAILURES, close, depth, watch
from treaty.rabbit.inboxes import Inboxes
from treaty.rabbit.link import Link
from treaty.rabbit.policies import Policies
from treaty.rabbit.properties import LONGEST_PROPERTY, bounded
from treaty.rabbit.size_limit import SizeLimit
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
        self._exchanges: dict[str, AbstractExchange] = {}
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._windows: dict[str, Window] = {}
        self._limit = SizeLimit()
        self._attempts = 0
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
        target = await self._exchange(exchange)
        self._attempts += 1
        beside = {
            SLOT_HEADER: str(slot_of(envelope.partition_key)),
            "traceparent": envelope.trace,
            "tracestate": envelope.tracestate,
            "baggage": envelope.baggage,
            **(more or {}),
        }
        message = aio_pika.Message(
            envelope.body,
            headers={**envelope.headers(), **{name: value for name, value in beside.items() if value}},
            content_type=CONTENT_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=bounded(f"{envelope.id}/{self._run}-{self._attempts}"),
            correlation_id=bounded(envelope.correlation),
            timestamp=envelope.time,
            type=bounded(envelope.type),
            app_id=bounded(envelope.producer),
        )
        await self._confirmed(target, message, envelope.type, envelope.id)

    async def end_replay(self, topology: Topology, partition: int, replay: str) -> None:
        target = await self._exchange("")
        message = aio_pika.Message(
            b"", headers={END_HEADER: replay}, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, type=END_HEADER
        )
        queue = await self._inboxes.last(topology, partition)
        await self._confirmed(target, message, queue, f"the end of {replay}")

    async def _confirmed(self, target: AbstractExchange, message: aio_pika.Message, key: str, what: str) -> None:
        """Publishes a message, and returns when the broker has confirmed it."""
        if len(key.encode(errors="surrogatepass")) > LONGEST_PROPERTY:
            raise NotAccepted(f"{what}: AMQP has no routing key of more than {LONGEST_PROPERTY} bytes")
        self._check_size(message, what)
        try:
            confirmed = await target.publish(message, key, mandatory=True, timeout=self._timeout)
        except PublishError as error:
            raise Unroutable(key) from error
        except DeliveryError as error:
            raise NotAccepted(f"{what}: {error}") from error
        except FAILURES as error:
            if not isinstance(error, TimeoutError):
                self._channel = None
            self._limit.learn(error, asyncio.get_running_loop().time())
            self._check_size(message, what)
            raise BrokerAway(f"{type(error).__name__}: {error}") from error
        except (TypeError, ValueError) as error:
            # The client cannot encode this message. It may have counted it already, so its channel is not used again.
            self._channel = None
            raise NotAccepted(f"{what}: {type(error).__name__}: {error}") from error
        if not isinstance(confirmed, Basic.Ack):
            raise NotAccepted(f"{what}: the broker answered {type(confirmed).__name__}")

    def _check_size(self, message: aio_pika.Message, what: str) -> None:
        refused = self._limit.refuses(len(message.body), asyncio.get_running_loop().time())
        if refused:
            raise NotAccepted(f"{what}: {refused}")

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

        async def on_message(message: AbstractIncomingMessage) -> None:
            if lost.is_set():
                return  # it comes again
            if window.admits(len(message.body)):
                receive(_RabbitDelivery(message))
            else:
                logger.info("the prefetch changes with the size of messages", queue=name, prefetch=window.count)
                lost.set()

        try:
            async with asyncio.timeout(2 * self._timeout):
                await channel.set_qos(prefetch_count=prefetch)
                queue = await channel.get_queue(name, ensure=True)
                tag = await queue.consume(on_message)
        except FAILURES as error:
            lost.set()  # the consumer may be there all the same
            self._inboxes.forget(topology)  # the queue may be gone
            await self._end(channel, CLOSE_SECONDS)
            raise BrokerAway(f"{type(error).__name__}: {error}") from error
        watching = asyncio.create_task(watch(channel, tag, lost))
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
                counts = [await depth(channel, queue) for queue in queues]
        except FAILURES as error:
            raise BrokerAway(f"{type(error).__name__}: {error}") from error
        finally:
            await close(channel)
        return sum(counts)

    async def _exchange(self, name: str) -> AbstractExchange:
        """Returns an exchange on the publishing channel (the default one has no name); reopens a lost channel."""
        channel = self._channel
        if channel is None or channel.is_closed:
            async with self._opening:
                channel = self._channel
                if channel is None or channel.is_closed:
                    channel = await self._publishing.channel(publisher_confirms=True, on_return_raises=True)
                    self._channel, self._exchanges = channel, {}
        if name not in self._exchanges:
            found = await channel.get_exchange(name, ensure=False) if name else channel.default_exchange
            self._exchanges[name] = found
        return self._exchanges[name]


class _RabbitDelivery:
    def __init__(self, message: AbstractIncomingMessage) -> None:
        self._message = message

    @property
    def headers(self) -> Mapping[str, object]:
        return self._message.headers

    @property
    def body(self) -> bytes:
        return self._message.body

    async def ack(self) -> None:
        with contextlib.suppress(*FAILURES):
            await self._message.ack()


def _with_heartbeat(url: str, seconds: int) -> str:
    """Returns the URL with a heartbeat, unless it has one."""
    parts = urlsplit(url)
    if not seconds or "heartbeat" in parse_qs(parts.query):
        return url
    return urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, f"heartbeat={seconds}"]))))
