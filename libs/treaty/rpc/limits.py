"""The limits of a server, shared by its listeners: unread requests, calls, streams, uploads, answers nobody takes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from treaty.concurrency.places import Places
from treaty.rpc.errors import Refused, overloaded, too_slow
from treaty.rpc.unread import TooSlow, Unread, sender_of


class Limits:
    """Counts what is open. A sender is the address of a client, without its port.

    Args:
        calls: the most calls at a time, and the most answers of one sender that it has not taken.
        streams: the most streams at a time. If they are all in use, a sender that has fewer of them than another one
            takes a stream of that other one.
        unread: the most calls whose request has not arrived.
        patience: seconds for a request or a message of an upload to arrive, and for one of a stream to be taken.
        uploads: the most uploads at a time; they are shared among senders like streams.
    """

    def __init__(self, *, calls: int, streams: int, unread: int, patience: float, uploads: int = 0) -> None:
        self._calls, self._calls_left, self._patience = calls, calls, patience
        self._unread = Unread(unread, patience)
        self._streams = Places(streams)
        self._uploads = Places(uploads)
        self._open = Counter[str]()
        """Calls whose answer has not been taken, by sender. No call is asked afterwards: see `sender_of`."""

    @property
    def full(self) -> bool:
        """Whether no more calls are accepted now."""
        return self._calls_left <= 0

    async def read(self, context: Any, domain: str) -> Any:
        """Returns the next message of a client, or EOF.

        Raises:
            Refused: if it does not arrive in time, or if another call needs its place.
        """
        try:
            return await self._unread.read(context)
        except TooSlow:
            raise Refused(too_slow("the request did not arrive in time", domain)) from None

    def enter(self, context: Any, domain: str) -> None:
        """Counts a call, until `leave`. For its sender, it counts until the answer is taken.

        Raises:
            Refused: if there are too many.
        """
        sender = sender_of(context)
        if self._calls_left <= 0 or self._open[sender] >= self._calls:
            raise Refused(overloaded("too many calls at once; try again later", domain))
        self._calls_left -= 1
        task = asyncio.current_task()
        assert task is not None
        self._open[sender] += 1
        task.add_done_callback(partial(self._taken, sender))

    def leave(self) -> None:
        """Ends the counting of a call."""
        self._calls_left += 1

    def _taken(self, sender: str, task: object) -> None:
        self._open[sender] -= 1
        if not self._open[sender]:
            del self._open[sender]

    @asynccontextmanager
    async def stream(self, context: Any, domain: str) -> AsyncIterator[None]:
        """Counts a stream inside the block, and after it until the client has taken all of it.

        Raises:
            Refused: if there are too many, at the beginning or when another sender takes the place.
        """
        sender, ending = sender_of(context), asyncio.timeout(None)
        refused = Refused(overloaded("too many streams at once; try again later", domain))
        if not self._streams.has_room(sender):
            raise refused
        place = self._streams.enter(sender, partial(_end, ending))
        # The task of a call sends its status after the handler, and ends when the core could send that.
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda task: self._streams.leave(place))
        try:
            async with ending:
                yield
        except TimeoutError:
            raise refused from None

    @asynccontextmanager
    async def upload(self, context: Any, domain: str) -> AsyncIterator[Callable[[], None]]:
        """Counts an upload inside the block, or until the yielded function is called: then all of it has arrived.

        Raises:
            Refused: if there are too many, at the beginning or when another sender takes the place.
        """
        sender, ending = sender_of(context), asyncio.timeout(None)
        refused = Refused(overloaded("too many uploads at once; try again later", domain))
        if not self._uploads.has_room(sender):
            raise refused
        place = self._uploads.enter(sender, partial(_end, ending))
        try:
            async with ending:
                yield partial(self._uploads.leave, place)
        except TimeoutError:
            if not ending.expired():
                raise
            raise refused from None
        finally:
            self._uploads.leave(place)

    async def write(self, context: Any, message: Any, domain: str) -> None:
        """Sends a message of a stream.

        Raises:
            Refused: if the client does not take it in time.
        """
        ending = asyncio.timeout(self._patience)
        try:
            async with ending:
                await context.write(message)
        except TimeoutError:
            raise Refused(too_slow("the messages were not taken in time", domain)) from None


def _end(timeout: asyncio.Timeout) -> None:
    """Lets a block end now, as if its time were over; has no effect if it has ended."""
    with suppress(RuntimeError):
        timeout.reschedule(0.0)
