"""Replays: the history of one context, delivered again to one consumer. Live events wait until it ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from treaty.messaging.envelope import Envelope

Status = Literal["holding", "delivering", "done", "abandoned"]
"""The partitions begin to hold live events; history is on its way; all partitions have passed the end; given up."""

OPEN: Sequence[Status] = ("holding", "delivering")

REPLAY_HEADER = "treaty-replay"
"""Beside the envelope of an event that is delivered again: the replay it belongs to."""

END_HEADER = "treaty-replay-end"
"""On a message without an event, the last of a replay in its partition: the replay that ends here."""

MARK, AUDIT_MARK = "inbox ", "audit "
"""Begin the names of marks, which stand where the end of a replay has the replay: those of the timers, and those of the
audit. A consumer that does not know one takes it for the end of an unknown replay, and acknowledges it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A replay, kept by its consumer.

    Attributes:
        producer: the context whose history is delivered.
        types: the full names of the events.
        streams: only the events of these; of all when it is empty.
        partitions: how many the consumer's inbox has.
        since: only what was committed then or later; `until`: then or before.
        holding: the partitions that keep live events in quarantine.
        passed: the partitions that have come to the end.
    """

    id: str
    producer: str
    types: Sequence[str]
    partitions: int
    reason: str
    by: str
    at: datetime
    streams: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    status: Status = "holding"
    holding: frozenset[int] = frozenset()
    passed: frozenset[int] = frozenset()

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    def wants(self, envelope: Envelope) -> bool:
        """Returns whether the replay delivers events of this kind, so that a live one has to wait."""
        return (
            envelope.producer == self.producer
            and envelope.type in self.types
            and (not self.streams or stream_of(envelope) in self.streams)
        )


def stream_of(envelope: Envelope) -> str:
    """Returns the stream of its producer that an event is of."""
    return envelope.source.removeprefix(f"/{envelope.producer}/")


def named(headers: Mapping[str, object], header: str) -> str:
    """Returns the replay that a header names, or nothing."""
    value = headers.get(header, "")
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def is_mark(name: str) -> bool:
    """Returns whether the header of a replay's end names a mark of the inbox instead of a replay."""
    return name.startswith((MARK, AUDIT_MARK))


class Replays(Protocol):
    """Keeps the replays to one context, those that are over included."""

    async def add(self, replay: Replay) -> None:
        """Keeps a new replay, on a majority.

        Raises:
            Conflict: another one of the same producer is open.
        """
        ...

    async def get(self, id: str) -> Replay | None:
        """Returns a replay."""
        ...

    async def open(self) -> Sequence[Replay]:
        """Returns the replays that are not over."""
        ...

    async def find(self, limit: int = 100) -> Sequence[Replay]:
        """Returns replays, the latest first, for people to look at."""
        ...

    async def hold(self, id: str, partition: int) -> None:
        """Records that the partition holds live events."""
        ...

    async def deliver(self, id: str) -> bool:
        """Records that history is on its way; returns False if the replay is over."""
        ...

    async def passed(self, id: str, partition: int) -> None:
        """Records that the partition has come to the end. With the last partition an open replay is done."""
        ...

    async def abandon(self, id: str) -> bool:
        """Gives up a replay; returns False if it is over, or there is none."""
        ...
