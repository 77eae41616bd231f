"""Frames of AMQP 0-9-1 that are sent for every message, and a writer that sends them once for each turn of the loop.

The client builds, writes and awaits a method, a header and a body for each message by itself, under a lock, which takes
four times as long as all this. The connection, what the broker sends, and everything rare stay the client's.
"""

import asyncio
from collections import deque
from collections.abc import Callable
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

_TOGETHER = 128 << 10
"""Bytes after which no more is handed over together."""

_FULL_SECONDS = 0.001


def publishing(channel: int, exchange: str, key: str, properties: Encoded, body: bytes, most: int) -> bytes:
    """Returns the frames of a mandatory message.

    Args:
        most: the most bytes of the payload of a frame.

    Raises:
        ValueError: if the exchange or the key cannot be encoded, or is longer than 255 bytes; or if the properties do
            not fit into a frame, for which the broker would close the connection. AMQP cannot split them.
    """
    to, routed = exchange.encode(), key.encode()
    method = b"".join(
        (_PUBLISHING(_BASIC, _PUBLISH, 0), bytes((len(to),)), to, bytes((len(routed),)), routed, _MANDATORY)
    )
    header = _CONTENT(_BASIC, 0, len(body)) + properties.encoded
    if len(header) > most:
        raise ValueError(f"the headers of {len(header)} bytes do not fit into a frame of {most}")
    parts = [_FRAME(_METHOD, channel, len(method)), method, _END, _FRAME(_HEADER, channel, len(header)), header, _END]
    for start in range(0, len(body), most):
        part = body[start : start + most]
        parts += (_FRAME(_BODY, channel, len(part)), part, _END)
    return b"".join(parts)


def acknowledging(channel: int, tag: int, *, multiple: bool) -> bytes:
    """Returns the frame that acknowledges a message; with `multiple`, also all before it that are not acknowledged."""
    return _ACKNOWLEDGING(_METHOD, channel, 13, _BASIC, _ACK, tag, multiple, _END[0])


class FrameWriter:
    """Hands what is written in one turn of the event loop to the client together, and no more than the socket takes.

    While the broker does not read, frames wait here. What its sender has given up by then is never sent.

    Args:
        channel: the client's own channel, below the one of aio-pika.
    """

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._waiting: deque[Callable[[], bytes]] = deque()
        self._is_busy = False

    @property
    def is_closed(self) -> bool:
        """Whether the channel is closed. The client tells it only a few turns after it has told the broker."""
        return bool(self._channel.is_closed or self._channel._Channel__close_event.is_set())

    def write(self, frames: Callable[[], bytes]) -> None:
        """Writes what `frames` returns when its turn comes; nothing on a closed channel.

        For frames on a closed channel the broker would close the whole connection.
        """
        self._waiting.append(frames)
        if not self._is_busy:
            self._is_busy = True
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self, drained: "asyncio.Future[None] | None" = None) -> None:
        parts: list[bytes] = []
        size = 0
        while self._waiting and size < _TOGETHER and not self.is_closed:
            parts.append(self._waiting.popleft()())
            size += len(parts[-1])
        if not size:
            self._waiting.clear()
            self._is_busy = False
            return
        drained = asyncio.get_running_loop().create_future()
        drained.add_done_callback(self._send)
        self._hand_over(ChannelFrame(payload=b"".join(parts), should_close=False, drain_future=drained))

    def _hand_over(self, frame: ChannelFrame) -> None:
        if self.is_closed:  # nobody takes frames any more, and a full queue stays full
            self._waiting.clear()
            self._is_busy = False
            return
        try:
            self._channel.write_queue.put_nowait(frame)
        except asyncio.QueueFull:
            asyncio.get_running_loop().call_later(_FULL_SECONDS, self._hand_over, frame)
