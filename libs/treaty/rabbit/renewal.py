"""The older inbox of a context at RabbitMQ, while it is left for the current layout."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel

from treaty.concurrency.guarded import guarding
from treaty.messaging.broker import Topology
from treaty.messaging.replays import END_HEADER
from treaty.rabbit.channels import FAILURES, close, depth
from treaty.rabbit.hashed import Hashed, layout_of
from treaty.rabbit.link import Link
from treaty.rabbit.refusals import away
from treaty.rabbit.topology import Slots, bind


class RabbitOldInbox:
    """The older inbox of one context. `close` it in the end.

    Args:
        timeout: seconds for each step.
    """

    def __init__(self, url: str, topology: Topology, *, timeout: float = 30.0) -> None:
        self._topology, self._timeout = topology, timeout
        self._link = Link(lambda: url, f"renewal of {topology.context}", timeout)
        self._old, self._new = Hashed(is_left=True), Slots()

    async def close(self) -> None:
        await self._link.close()

    async def is_there(self) -> bool:
        async with self._step() as channel:
            del channel
            return isinstance(await layout_of(self._topology, self._link.channel), Hashed)

    async def is_cut(self) -> bool:
        async with self._step() as channel:
            del channel
            found = await layout_of(self._topology, self._link.channel)
            return isinstance(found, Hashed) and found.is_cut

    async def prepare(self) -> None:
        async with self._step() as channel:
            await self._new.declare(channel, self._topology, slots=True)
            await self._old.declare_queues(channel, self._topology)

    async def switch(self) -> None:
        async with self._step() as channel:
            inbox = await channel.get_exchange(self._new.inbox(self._topology), ensure=False)
            await bind(channel, inbox, self._topology.subscribes)
            await self._old.cut(channel, self._topology)

    async def end_replay(self, topology: Topology, partition: int, replay: str) -> None:
        """Puts a mark into a partition of the older inbox."""
        mark = Message(b"", headers={END_HEADER: replay}, delivery_mode=DeliveryMode.PERSISTENT, type=END_HEADER)
        async with self._step(on_return_raises=True) as channel:
            await channel.default_exchange.publish(mark, self._old.queue(topology, partition), mandatory=True)

    async def waiting(self) -> int:
        async with self._step() as channel:
            queues = [self._old.queue(self._topology, partition) for partition in range(self._topology.partitions)]
            return sum([await depth(channel, queue) for queue in queues])

    async def delete(self) -> None:
        async with self._step() as channel:
            await self._old.delete(channel, self._topology)

    @asynccontextmanager
    async def _step(self, **options: Any) -> AsyncIterator[AbstractChannel]:
        channel = await self._link.channel(**options)
        try:
            async with asyncio.timeout(self._timeout):
                with guarding():
                    yield channel
        except FAILURES as error:
            raise away(error) from error
        finally:
            await close(channel)
