"""The limits of a server, shared by its listeners: unread requests, calls, streams, and answers that nobody takes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any

import grpc

from treaty.concurrency.places import Places
from treaty.rpc.errors import Refused, overloaded, too_slow


class Limits:
    """Counts what is open. A sender is the address of a client, without its port.

    Args:
        calls: the most calls at a time, and the most answers of one sender that it has not taken.
        streams: the most streams at a time. If they are all in use, a sender that has fewer of them than another one
            takes a stream of that other one.
        unread: the most calls whose request has not arrived; one sender has at most half of them.
        patience: seconds for a request to arrive, and for a message of a stream to be taken.
    """

    def __init__(self, *, calls: int, streams: int, unread: int, patience: float) -> None:
        self._calls, self._calls_left, self._patience = calls, calls, patience
        self._unread = Places(unread, max(1, unread // 2))
        self._streams = Places(streams)
        self._open: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        """Whether no more calls are accepted now."""
        return self._calls_left <= 0

    async def read(self, context: Any, domain: str) -> Any:
        """Returns the next message of a client, or EOF.

        Raises:
            Refused: if it does not arrive in time, or if another call needs its place.
        """
        ending = asyncio.timeout(self._patience)
        place = self._unread.enter(_sender(context), partial(_end, ending))
        try:
            async with ending:
                return await context.read()
        except TimeoutError:
            raise Refused(too_slow("the request did not arrive in time", domain)) from None
        finally:
            self._unread.leave(place)

    async def messages(self, context: Any, domain: str) -> AsyncIterator[Any]:
        """Yields the messages of a client that sends a stream.

        Raises:
            Refused: as with `read`.
        """
        while (message := await self.read(context, domain)) is not grpc.aio.EOF:
            yield message

    @contextmanager
    def call(self, context: Any, domain: str) -> Iterator[None]:
        """Counts a call inside the block. For its sender, it counts until the answer is taken.

        Raises:
            Refused: if there are too many.
        """
        sender = _sender(context)
        if self._calls_left <= 0 or self._open[sender] >= self._calls:
            raise Refused(overloaded("too many calls at once; try again later", domain))
        self._calls_left -= 1
        self._open[sender] += 1
        _once_taken(partial(self._closed, sender))
        try:
            yield
        finally:
            self._calls_left += 1

    @asynccontextmanager
    async def stream(self, context: Any, domain: str) -> AsyncIterator[None]:
        """Counts a stream inside the block, and after it until the client has taken all of it.

        Raises:
            Refused: if there are too many, at the beginning or when another sender takes the place.
        """
        sender, ending = _sender(context), asyncio.timeout(None)
        refused = Refused(overloaded("too many streams at once; try again later", domain))
        if not self._streams.has_room(sender):
            raise refused
        place = self._streams.enter(sender, partial(_end, ending))
        _once_taken(lambda task: self._streams.leave(place))
        try:
            async with ending:
                yield
        except TimeoutError:
            raise refused from None

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

    def _closed(self, sender: str, task: object) -> None:
        self._open[sender] -= 1
        if not self._open[sender]:
            del self._open[sender]


def _sender(context: Any) -> str:
    return str(context.peer()).rpartition(":")[0]


def _once_taken(work: Callable[[object], None]) -> None:
    """Runs work when the client has taken the answer of the current call, or is gone.

    The task of a call sends what its handler returns, and its status; it ends when the core could send that.
    """
    task = asyncio.current_task()
    assert task is not None
    task.add_done_callback(work)


def _end(timeout: asyncio.Timeout) -> None:
    """Lets a block end now, as if its time were over; has no effect if it has ended."""
    with suppress(RuntimeError):
        timeout.reschedule(0.0)
