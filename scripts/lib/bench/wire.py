"""Unary gRPC calls as bare HTTP/2 frames, for a load generator that needs a fraction of the server's processor time.

It has only the part of HTTP/2 (RFC 9113) that is needed to call one method on one connection. Header compression is
turned off.
"""

import asyncio
import re
import struct
from collections.abc import Callable
from typing import cast

_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_EXHAUSTED, _REFUSED_STREAM = 8, 7
"""A stream that the server refuses was never processed, so it counts as RESOURCE_EXHAUSTED."""

_ACK = _END_STREAM = 0x1
_END_HEADERS = 0x4
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_NO_TABLE, _NO_PUSH, _BINARY_METADATA = (1, 0), (2, 0), (0xFE03, 1)
_SETTINGS_SENT = (_NO_TABLE, _NO_PUSH, _BINARY_METADATA)
_STATUS = re.compile(rb"grpc-status.(\d+)", re.DOTALL)
_WAIT = b"google.rpc.RetryInfo"

Answered = Callable[[int, int, bool], None]
"""(stream, gRPC status code or -1 if the stream was reset, whether the answer has a time after which to repeat)"""


class Connection(asyncio.Protocol):
    """One connection to a server, for calls of one method.

    Args:
        seconds: the deadline of the calls; without it they have none.
        window: the bytes of an answer that the server may send, before the client has read them.
    """

    def __init__(
        self, path: str, authority: str, seconds: float | None, answered: Answered, window: int = 2**30
    ) -> None:
        self._block = _block(path, authority, seconds)
        self._answered, self._answers_window = answered, window
        self._transport: asyncio.WriteTransport | None = None
        self._unread = b""
        self._next = 1
        self._window = 65_535
        self._held: list[tuple[int, bytes]] = []
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        settings = b"".join(struct.pack(">HI", *s) for s in (*_SETTINGS_SENT, (4, self._answers_window)))
        update = _frame(_WINDOW, 0, 0, struct.pack(">I", 2**30))
        self._transport.write(_PREFACE + _frame(_SETTINGS, 0, 0, settings) + update)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True

    def send(self, bodies: list[bytes]) -> list[int]:
        """Sends requests; returns the number of each one's stream."""
        streams = self._numbers(len(bodies))
        self._held += zip(streams, bodies, strict=True)
        self._flush()
        return streams

    def begin(self, count: int) -> list[int]:
        """Sends the headers of calls, and never a request; returns the number of each one's stream."""
        streams = self._numbers(count)
        self._write(b"".join(_frame(_HEADERS, _END_HEADERS, stream, self._block) for stream in streams))
        return streams

    def _numbers(self, count: int) -> list[int]:
        first = self._next
        self._next += 2 * count
        return list(range(first, self._next, 2))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        data = self._unread + data
        at = 0
        while len(data) - at >= 9:
            size = int.from_bytes(data[at : at + 3])
            if len(data) - at < 9 + size:
                break
            self._take(data[at + 3], data[at + 4], int.from_bytes(data[at + 5 : at + 9]), data[at + 9 : at + 9 + size])
            at += 9 + size
        self._unread = data[at:]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _HEADERS and flags & _END_STREAM:
            found = _STATUS.search(payload)
            self._answered(stream, int(found[1]) if found else -1, _WAIT in payload)
        elif kind == _RESET:
            self._answered(stream, _EXHAUSTED if payload[-1] == _REFUSED_STREAM else -1, False)
        elif kind == _SETTINGS and not flags & _ACK:
            self._write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self._write(_frame(_PING, _ACK, 0, payload))
        elif kind == _WINDOW and stream == 0:
            self._window += int.from_bytes(payload)
            self._flush()

    def _flush(self) -> None:
        """Writes the held requests, as many as fit into the server's window for the connection."""
        frames: list[bytes] = []
        for number, (stream, body) in enumerate(self._held):
            if self._window < len(body) + 5:
                self._held = self._held[number:]
                break
            self._window -= len(body) + 5
            frames.append(_frame(_HEADERS, _END_HEADERS, stream, self._block))
            frames.append(_frame(_DATA, _END_STREAM, stream, b"\0" + struct.pack(">I", len(body)) + body))
        else:
            self._held = []
        self._write(b"".join(frames))

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None and not self.lost:
            self._transport.write(data)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + struct.pack(">BBI", kind, flags, stream) + payload


def _block(path: str, authority: str, seconds: float | None) -> bytes:
    """Returns the header block (RFC 7541) of every request: static names, literal values."""
    timeout = b"" if seconds is None else b"\x00" + _text("grpc-timeout") + _text(f"{int(seconds * 1000)}m")
    return (
        b"\x83\x86"
        + (b"\x04" + _text(path))
        + (b"\x01" + _text(authority))
        + (b"\x0f\x10" + _text("application/grpc"))
        + (b"\x00" + _text("te") + _text("trailers"))
        + timeout
    )


def _text(text: str) -> bytes:
    if len(text) > 126:
        raise ValueError("a header text may have at most 126 bytes, because longer ones need another encoding")
    return bytes([len(text)]) + text.encode()
