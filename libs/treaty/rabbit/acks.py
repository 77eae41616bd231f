"""The acknowledgements of one channel: those of one turn of the event loop are sent together."""

import asyncio
from functools import partial
from typing import Any

from treaty.messaging.ack_window import AckWindow
from treaty.rabbit.frames import FrameWriter, acknowledging


class Acks:
    """Acknowledges the messages of a channel.

    Args:
        channel: the client's own channel, below the one of aio-pika.
    """

    def __init__(self, channel: Any) -> None:
        self._number: int = channel.number
        self._writer = FrameWriter(channel)
        self._window = AckWindow()
        self._sent: asyncio.Future[None] | None = None

    def deliver(self, tag: int) -> None:
        """Adds a message, in the order of the deliveries."""
        self._window.deliver(tag)

    async def ack(self, tag: int) -> None:
        """Returns when the message is acknowledged, or when the channel is lost: then the message comes again."""
        self._window.finish(tag)
        if self._sent is None:
            loop = asyncio.get_running_loop()
            self._sent = loop.create_future()
            loop.call_soon(self._send)
        await asyncio.shield(self._sent)

    def _send(self) -> None:
        for tag, multiple in self._window.due():
            self._writer.write(partial(acknowledging, self._number, tag, multiple=multiple))
        sent, self._sent = self._sent, None
        if sent is not None:
            sent.set_result(None)
