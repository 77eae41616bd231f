"""Requests that have not arrived: bounded in number and in time. It is in the path of every call, so it does little."""

import asyncio
from collections import Counter
from typing import Any


class TooSlow(Exception):
    """The request did not arrive in time, or another call needed its place."""


class Reading:
    """A call that waits for a message of its client. It is compared by identity."""

    __slots__ = ("ended", "sender", "since", "task")

    def __init__(self, sender: str, task: "asyncio.Task[Any]", since: float) -> None:
        self.sender, self.task, self.since = sender, task, since
        self.ended = False

    def end(self) -> None:
        self.ended = True
        self.task.cancel()


class Unread:
    """Reads messages. If too many are awaited, a new one takes the oldest place of the sender with the most of them.

    Args:
        most: the number of places.
        patience: seconds for a message to arrive.
    """

    def __init__(self, most: int, patience: float) -> None:
        self._most, self._patience = most, patience
        self._waiting: dict[Reading, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def read(self, context: Any) -> Any:
        """Returns the next message of a client, or EOF.

        Raises:
            TooSlow: if it does not arrive in time, or if another call needs its place.
        """
        task = asyncio.current_task()
        assert task is not None
        reading = Reading(sender_of(context), task, asyncio.get_running_loop().time())
        if len(self._waiting) >= self._most:
            self._make_room()
        self._waiting[reading] = None
        if self._timer is None:
            self._look_again(reading)
        try:
            return await context.read()
        except asyncio.CancelledError:
            if not reading.ended or task.uncancel():
                raise
            raise TooSlow from None
        finally:
            self._waiting.pop(reading, None)

    def _make_room(self) -> None:
        [(heaviest, _)] = Counter(reading.sender for reading in self._waiting).most_common(1)
        eldest = next(reading for reading in self._waiting if reading.sender == heaviest)
        del self._waiting[eldest]
        eldest.end()

    def _look_again(self, eldest: Reading) -> None:
        """Looks when the time of the eldest one is over; there is one timer, because most are over before."""
        self._timer = asyncio.get_running_loop().call_at(eldest.since + self._patience, self._look)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for reading in list(self._waiting):
            if reading.since + self._patience > now:
                self._look_again(reading)
                break
            del self._waiting[reading]
            reading.end()


def sender_of(context: Any) -> str:
    """Returns the address of the client of a call, without its port.

    It is for the handler of the call alone: gRPC reads memory that is no longer its own, and the process dies, if the
    call has ended and its client has gone.
    """
    return str(context.peer()).rpartition(":")[0]
