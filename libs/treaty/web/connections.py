"""Connections of HTTP clients. A request has to arrive whole and in time, and takes nothing before it has."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from treaty.concurrency.places import Place, Places


class Connection(asyncio.Protocol):
    """A connection, which passes everything on to the protocol of the HTTP server.

    It has a place among the others, except while its request is being answered. aiohttp limits the time between two
    requests, but neither that of the headers nor that of the body.

    Args:
        inner: the protocol of the HTTP server.
        places: those of all connections whose request has not arrived.
        patience: seconds for a request to arrive, from its first byte, or from the beginning of the connection.
    """

    def __init__(self, inner: asyncio.Protocol, places: Places, patience: float) -> None:
        self._inner, self._places, self._patience = inner, places, patience
        self._transport: asyncio.Transport
        self._place: Place | None = None
        self._timer: asyncio.TimerHandle | None = None

    def reading(self) -> None:
        """Begins the time of a request whose headers have arrived, if they came together with the request before it."""
        if self._timer is None:
            self._hurry()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Frees the place inside the block, because the request has arrived."""
        self._leave()
        try:
            yield
        finally:
            if not self._transport.is_closing():
                self._enter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._enter()
        self._hurry()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._place is not None and self._timer is None:
            self._hurry()
        self._inner.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._inner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def _enter(self) -> None:
        peer = self._transport.get_extra_info("peername")
        self._place = self._places.enter(peer[0] if peer else "", self._transport.abort)

    def _hurry(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._patience, self._transport.abort)

    def _leave(self) -> None:
        if self._place is not None:
            self._places.leave(self._place)
        if self._timer is not None:
            self._timer.cancel()
        self._place = self._timer = None
