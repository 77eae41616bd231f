"""Frames of AMQP 0-9-1 that are sent for every message, and a writer that sends them once for each turn of the loop.

The client builds, writes and awaits a method, a header and a body for each message by itself, under a lock, which takes
four times as long as all this. The connection, what the broker sends, and everything rare stay the client's.
"""

import asyncio
from struct import Struct
from typing import Any

from aiormq.abc import ChannelFrame

from treaty.rabbit.properties import Encoded

_METHOD, _HEADER, _BODY, _END = 1, 2, 3, b"\xce"
_BASIC, _PUBLISH, _ACK = 60, 40, 80
_MANDATORY = b"\x01"

_FRAME = Struct(">BHI").pack
"""The beginning of a frame: its type, its channel, and the bytes of its payload."""

_PUBLISHING, _CONTENT = Struct(">HHH").pack, Struct(">HHQ").pack
_ACKNOWLEDGING = Struct(">BHIHHQBB").pack

_FULL_SECONDS = 0.001


def publishing(channel: int, exchange: str, key: str, properties: Encoded, body: bytes, most: int) -> bytes:
    """Returns the frames of a mandatory message.

    Args:
        most: the most bytes of the payload of a frame.

    Raises:
        ValueError: if the exchange or the key cannot be encoded, or is longer than 255 bytes.
    """
    to, routed = exchange.encode(), key.encode()
    method = b"".join(
        (_PUBLISHING(_BASIC, _PUBLISH, 0), bytes((len(to),)), to, bytes((len(routed),)), routed, _MANDATORY)
    )
    header = _CONTENT(_BASIC, 0, len(body)) + properties.encoded
    parts = [_FRAME(_METHOD, channel, len(method)), method, _END, _FRAME(_HEADER, channel, len(header)), header, _END]
    for start in range(0, len(body), most):
        part = body[start : start + most]
        parts += (_FRAME(_BODY, channel, len(part)), part, _END)
    return b"".join(parts)


def acknowledging(channel: int, tag: int, *, multiple: bool) -> bytes:
    """Returns the frame that acknowledges a message; with `multiple`, also all before it that are not acknowledged."""
    return _ACKNOWLEDGING(_METHOD, channel, 13, _BASIC, _ACK, tag, multiple, _END[0])


class FrameWriter:
    """Hands everything that is written in one turn of the event loop to the client together.

    Args:
        channel: the client's own channel, below the one of aio-pika.
    """

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._waiting: list[bytes] = []

    @property
    def is_closed(self) -> bool:
        """Whether the channel is closed. The client tells it only a few turns after it has told the broker."""
        return bool(self._channel.is_closed or self._channel._Channel__close_event.is_set())

    def write(self, frames: bytes) -> None:
        """Writes frames. On a closed channel they are dropped: the broker would close the whole connection."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(frames)

    def _flush(self) -> None:
        if self.is_closed:
            self._waiting.clear()
            return
        try:
            self._channel.write_queue.put_nowait(ChannelFrame(payload=b"".join(self._waiting), should_close=False))
        except asyncio.QueueFull:
            asyncio.get_running_loop().call_later(_FULL_SECONDS, self._flush)
        else:
            self._waiting.clear()
