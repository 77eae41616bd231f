"""A connection to RabbitMQ: plain, and replaced by a new one when it breaks."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from pamqp.common import FieldTable

from treaty.concurrency.guarded import guarding
from treaty.rabbit.channels import FAILURES
from treaty.rabbit.received import tolerate
from treaty.rabbit.refusals import away


class Link:
    """A connection that is opened when it is needed and dropped when it breaks.

    Args:
        url: called before it is opened.

    Attributes:
        opened: how many times it was opened.
    """

    def __init__(self, url: Callable[[], str], name: str, timeout: float) -> None:
        tolerate()
        self._url, self._name, self._timeout = url, name, timeout
        self._connection: AbstractConnection | None = None
        self.opened = 0
        self._opening = asyncio.Lock()

    async def channel(self, **options: Any) -> AbstractChannel:
        """Opens a channel.

        Raises:
            BrokerAway: if the broker cannot be reached.
            BrokerRefused: if it refuses this process.
        """
        async with self._opening:
            try:
                with guarding():
                    return await self._open(options)
            except (*FAILURES, ValueError) as error:  # ValueError: the URL cannot be read now
                await self._forget()
                raise away(error) from error

    async def _open(self, options: Mapping[str, Any]) -> AbstractChannel:
        async with asyncio.timeout(self._timeout):
            if self._connection is None or self._connection.is_closed:
                properties: FieldTable = {"connection_name": self._name}
                self._connection = await aio_pika.connect(self._url(), client_properties=properties)
                self.opened += 1
            channel = self._connection.channel(**options)
            await channel.initialize()
            return channel

    async def close(self) -> None:
        async with self._opening:
            await self._forget()

    async def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception), guarding():
                async with asyncio.timeout(1.0):
                    await connection.close()
