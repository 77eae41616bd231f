"""Watching, asking about and closing a channel of RabbitMQ."""

import asyncio
import contextlib
from typing import Any

import structlog
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import AMQPError

from treaty.concurrency.guarded import guarding
from treaty.concurrency.tasks import Broken

logger = structlog.get_logger()

FAILURES = (
    AMQPError,
    ConnectionError,
    OSError,
    TimeoutError,
    RuntimeError,
    asyncio.InvalidStateError,
    StopAsyncIteration,  # the broker closed the connection during the handshake
    Broken,  # when heartbeats stay away, the client cancels the requests under way; see `guarding`
)
"""The exceptions of the client when the broker is away, or when the outcome is unknown."""

CLOSE_SECONDS, CLOSE_LARGE_SECONDS = 2.0, 15.0
"""Time to close a channel. The second one is for a channel with large messages under way, which all arrive before."""


async def watch(channel: AbstractChannel, tag: str, lost: asyncio.Event) -> None:
    """Sets `lost` when the broker cancels the consumer: for a deleted queue, it does so without closing the channel."""
    underlay: Any = await channel.get_underlay_channel()
    while tag in underlay.consumers:  # noqa: ASYNC110 - the library has no event for it
        await asyncio.sleep(2.0)
    logger.warning("the broker cancelled a consumer", tag=tag)
    lost.set()


async def depth(channel: AbstractChannel, queue: str) -> int:
    """Returns the number of messages in a queue."""
    declared = await channel.declare_queue(queue, passive=True)
    return declared.declaration_result.message_count or 0


async def close(channel: AbstractChannel, seconds: float = CLOSE_SECONDS) -> bool:
    """Closes a channel; returns whether that was done in time."""
    with contextlib.suppress(Exception), guarding():
        async with asyncio.timeout(seconds):
            await channel.close()
    return channel.is_closed
