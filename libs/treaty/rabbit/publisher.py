"""Publishes messages with confirms, on one channel that is replaced when it is lost."""

import asyncio
from functools import partial
from typing import Any

from aio_pika.exceptions import DeliveryError, PublishError
from pamqp.commands import Basic

from treaty.messaging.broker import BrokerAway, NotAccepted, Unroutable
from treaty.rabbit.channels import FAILURES
from treaty.rabbit.frames import FrameWriter, publishing
from treaty.rabbit.link import Link
from treaty.rabbit.properties import LONGEST_PROPERTY, Encoded
from treaty.rabbit.size_limit import SizeLimit


class Publisher:
    """Publishes through a link.

    Args:
        timeout: seconds for each message; after that the outcome is unknown.
    """

    def __init__(self, link: Link, timeout: float) -> None:
        self._link, self._timeout = link, timeout
        self._confirmed: _Confirmed | None = None
        self._opening = asyncio.Lock()
        self._limit = SizeLimit()

    async def publish(self, exchange: str, key: str, properties: Encoded, body: bytes, what: str) -> None:
        """Returns when the broker has confirmed the message.

        Args:
            what: names the message in errors.

        Raises:
            Unroutable, NotAccepted, BrokerAway
        """
        if len(key.encode(errors="surrogatepass")) > LONGEST_PROPERTY:
            raise NotAccepted(f"{what}: AMQP has no routing key of more than {LONGEST_PROPERTY} bytes")
        self._check_size(body, what)
        channel = await self._open()
        try:
            async with asyncio.timeout(self._timeout):
                answer = await channel.publish(exchange, key, properties, body)
        except PublishError as error:
            raise Unroutable(key) from error
        except DeliveryError as error:
            raise NotAccepted(f"{what}: {error}") from error
        except FAILURES as error:
            self._limit.learn(error, asyncio.get_running_loop().time())
            self._check_size(body, what)
            raise BrokerAway(f"{type(error).__name__}: {error}") from error
        except ValueError as error:
            raise NotAccepted(f"{what}: {type(error).__name__}: {error}") from error
        if not isinstance(answer, Basic.Ack):
            raise NotAccepted(f"{what}: the broker answered {type(answer).__name__}")

    def _check_size(self, body: bytes, what: str) -> None:
        refused = self._limit.refuses(len(body), asyncio.get_running_loop().time())
        if refused:
            raise NotAccepted(f"{what}: {refused}")

    async def _open(self) -> "_Confirmed":
        """Returns the channel; a lost one is opened again."""
        if self._confirmed is None or self._confirmed.is_closed:
            async with self._opening:
                if self._confirmed is None or self._confirmed.is_closed:
                    channel = await self._link.channel(publisher_confirms=True, on_return_raises=True)
                    self._confirmed = _Confirmed(await channel.get_underlay_channel(), channel)
        return self._confirmed


class _Confirmed:
    """The client's own channel, below the one of aio-pika. It hears confirms, returns and its end for our frames too.

    Args:
        above: the channel of aio-pika, which must live as long.
    """

    def __init__(self, channel: Any, above: Any) -> None:
        self._channel, self._above = channel, above
        self._writer = FrameWriter(channel)
        self._waiting: dict[asyncio.Future[Any], bytes] = {}
        """The frames of each message that has no answer; empty once they are written. One that is given up leaves none,
        however long the broker reads nothing.
        """
        channel.closing.add_done_callback(self._end)

    @property
    def is_closed(self) -> bool:
        return self._writer.is_closed

    async def publish(self, exchange: str, key: str, properties: Encoded, body: bytes) -> Any:
        """Returns the broker's answer, however long it takes.

        Raises:
            PublishError: if no queue takes the message.
            DeliveryError: if the broker refuses it.
            ConnectionError: if the channel ends before the answer.
        """
        channel = self._channel
        frames = publishing(channel.number, exchange, key, properties, body, channel.max_content_size)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_retrieve)
        self._waiting[answer] = frames
        self._writer.write(partial(self._take, properties.message_id or "", answer))
        del frames
        try:
            # The client sets the answer of a message that is given up too, and must not find it cancelled.
            return await asyncio.shield(answer)
        finally:
            self._waiting.pop(answer, None)
            channel.message_id_delivery_tag.pop(properties.message_id, None)

    def _take(self, message_id: str, answer: "asyncio.Future[Any]") -> bytes:
        """Returns the frames of a message, which has a number from now on; nothing if it has been given up."""
        if answer not in self._waiting:
            return b""
        frames, self._waiting[answer] = self._waiting[answer], b""
        channel = self._channel
        channel.delivery_tag += 1
        channel.confirmations[channel.delivery_tag] = answer
        channel.message_id_delivery_tag[message_id] = channel.delivery_tag
        return frames

    def _end(self, closing: "asyncio.Future[Any]") -> None:
        """Raises the end of the channel for all who wait."""
        cause = None if closing.cancelled() else closing.exception()
        for answer in self._waiting:
            if not answer.done():
                answer.set_exception(ConnectionError(f"the channel has ended: {cause}"))


def _retrieve(answer: "asyncio.Future[Any]") -> None:
    """Marks an error as retrieved: nobody waits for the answer of a message that was given up."""
    if not answer.cancelled():
        answer.exception()
