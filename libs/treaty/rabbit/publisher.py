"""Publishes messages with confirms, on one channel that is replaced when it is lost."""

import asyncio
from typing import Any

from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import DeliveryError, PublishError
from pamqp.commands import Basic

from treaty.messaging.broker import BrokerAway, NotAccepted, Unroutable
from treaty.rabbit.channels import FAILURES
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
        self._channel: AbstractChannel | None = None
        self._underlay: Any = None
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
            confirmed = await channel.basic_publish(
                body, exchange=exchange, routing_key=key, properties=properties, mandatory=True, timeout=self._timeout
            )
        except PublishError as error:
            raise Unroutable(key) from error
        except DeliveryError as error:
            raise NotAccepted(f"{what}: {error}") from error
        except FAILURES as error:
            if not isinstance(error, TimeoutError):
                self._channel = None
            self._limit.learn(error, asyncio.get_running_loop().time())
            self._check_size(body, what)
            raise BrokerAway(f"{type(error).__name__}: {error}") from error
        except (TypeError, ValueError) as error:
            # The client cannot encode this message. It may have counted it already, so its channel is not used again.
            self._channel = None
            raise NotAccepted(f"{what}: {type(error).__name__}: {error}") from error
        if not isinstance(confirmed, Basic.Ack):
            raise NotAccepted(f"{what}: the broker answered {type(confirmed).__name__}")

    def _check_size(self, body: bytes, what: str) -> None:
        refused = self._limit.refuses(len(body), asyncio.get_running_loop().time())
        if refused:
            raise NotAccepted(f"{what}: {refused}")

    async def _open(self) -> Any:
        """Returns the client's own channel, below the one of aio-pika; a lost one is opened again."""
        if self._channel is None or self._channel.is_closed:
            async with self._opening:
                if self._channel is None or self._channel.is_closed:
                    channel = await self._link.channel(publisher_confirms=True, on_return_raises=True)
                    self._underlay = await channel.get_underlay_channel()
                    self._channel = channel
        return self._underlay
