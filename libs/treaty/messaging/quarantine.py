"""The quarantine: messages that could not be handled, kept in order with all that follows on their key."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from treaty.messaging.envelope import Envelope, parse
from treaty.probes import Waiting

Header = tuple[str, str | bytes]
"""The name and the value of a header, as they came."""

Action = Literal["retry", "release", "edit", "discard"]
"""The actions that a person can request: one try now; tries from the beginning of the schedule, the first one now; the
same with another body; to pass over the message for good."""

SCHEDULE = (10.0, 60.0, 300.0, 1800.0, 7200.0)
"""Seconds until the owner of the partition tries again; after the last it is left to a person."""

AWAY_AT_MOST = 2
"""While a dependency is away, the attempts of a message count no further: it is tried every 5 minutes."""

LARGE = 1 << 20
"""Bytes. A larger body is stored beside its message, and the consumer of a partition has few of them in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A person's request to the owner of the partition. `body` is the one that an edited message gets."""

    action: Action
    reason: str
    at: datetime
    by: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The outcome of an intent: kept for good, also when the message has left. `before` is the body before an edit."""

    message: str
    intent: Intent
    at: datetime
    outcome: str
    before: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which messages a person wants to see; what is empty does not matter.

    Attributes:
        type: the end of the event's type, such as OrderPlaced.
        error: part of the error.
        key: the aggregate.
        until: in quarantine since this moment, or longer.
        schema: only those that wait for a deploy.
    """

    type: str = ""
    error: str = ""
    key: str = ""
    until: datetime | None = None
    schema: bool = False


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A message in quarantine.

    `order` counts up within the partition. `error` is empty for a message that only waits behind another of its key.
    `next_try` is None when it is left to a person, or waits. `schema` says that this version of the code does not know
    the message: it is tried once by every new owner, since only a deploy can help. `waits_for` is the replay whose end
    must come first. `missing` is the dependency that was away at the last try, or the handler that hung. `raw` has the
    headers of a message that could not be read: each try reads them again.
    """

    id: str
    partition: int
    key: str
    order: int
    envelope: Envelope
    since: datetime
    error: str = ""
    detail: str = ""
    attempts: int = 0
    next_try: datetime | None = None
    intent: Intent | None = None
    discarded: str = ""
    schema: bool = False
    waits_for: str = ""
    missing: str = ""
    raw: Sequence[Header] = ()

    def event(self) -> Envelope:
        """Returns the event to handle.

        Raises:
            Malformed: if it cannot be read by this version of the code either.
        """
        return parse(dict(self.raw), self.envelope.body) if self.raw else self.envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A message in quarantine without its headers, body and error, as the owner of its partition remembers it.

    Attributes:
        failed: the message failed; otherwise it only waits.
        asked: a person has left an intent.
        large: its body has more than `LARGE` bytes, or may have.
        missing: the dependency that was away at the last try.
    """

    id: str
    type: str
    key: str
    order: int
    source: str
    sequence: str
    failed: bool = False
    next_try: datetime | None = None
    schema: bool = False
    waits_for: str = ""
    asked: bool = False
    large: bool = False
    missing: str = ""


def held(item: Quarantined) -> Held:
    """Returns the part of a message that its owner remembers."""
    return Held(
        id=item.id,
        type=item.envelope.type,
        key=item.key,
        order=item.order,
        source=item.envelope.source,
        sequence=item.envelope.sequence,
        failed=bool(item.error),
        next_try=item.next_try,
        schema=item.schema,
        waits_for=item.waits_for,
        asked=item.intent is not None,
        large=len(item.envelope.body) > LARGE,
        missing=item.missing,
    )


def in_order(items: Sequence[Held]) -> list[Held]:
    """Returns the messages of one key in the order in which they are to be handled.

    They have arrived in their order, but for those that came again, or by another way: so the events of each source
    take the places of that source in the order of their sequence.
    """
    ordered: dict[str, list[Held]] = {}
    arrived = sorted(items, key=lambda item: item.order)
    for item in arrived:
        ordered.setdefault(item.source, []).append(item)
    turns = {s: iter(sorted(own, key=lambda item: item.sequence)) for s, own in ordered.items()}
    return [next(turns[item.source]) for item in arrived]


def next_try(attempts: int, now: datetime) -> datetime | None:
    """Returns when to try again after that many attempts in quarantine, or None: a person must look."""
    if attempts >= len(SCHEDULE):
        return None
    return now + timedelta(seconds=SCHEDULE[attempts])


class Quarantine(Protocol):
    """Keeps the quarantine of one context. Only the owner of a partition adds, updates or removes.

    An owner that was frozen may write late. Its writes change nothing once another owner has changed the message.
    """

    async def add(self, item: Quarantined) -> bool:
        """Keeps the message, on a majority. Returns False if its id is there already; that message stays as it is."""
        ...

    def held(self, partition: int, *, key: str | None = None) -> AsyncIterator[Held]:
        """Yields the messages that wait in the partition, or of one key, in order. They are read in batches."""
        ...

    async def size(self, partition: int) -> int:
        """Returns how many messages wait in the partition."""
        ...

    async def asked(self, partition: int) -> Sequence[str]:
        """Returns keys of the partition with an intent of a person.

        The number of keys is bounded: others follow when these are done.
        """
        ...

    async def due(self, partition: int, now: datetime, *, away: Collection[str] = ()) -> Sequence[str]:
        """Returns keys of the partition with a message whose next try has come.

        Those that have waited longest come first. The number of keys is bounded: others follow when these are done.

        Args:
            away: messages for which one of these dependencies was missing do not count.
        """
        ...

    async def update(self, known: Quarantined, new: Quarantined) -> bool:
        """Replaces a message, but for the intent of a person and for its partition.

        Returns False, and changes nothing, if it was removed, discarded or tried since it was read as `known`.
        """
        ...

    async def assign(self, partition_of: Callable[[str], int]) -> None:
        """Gives every message to the partition of its key."""
        ...

    async def remove(self, known: Quarantined) -> bool:
        """Removes a message that was handled.

        Returns False, and removes nothing, if it was removed, discarded or tried since it was read as `known`, or if a
        person has left an intent.
        """
        ...

    async def find(self, wanted: Wanted = EVERYTHING, *, limit: int = 100) -> Sequence[Quarantined]:
        """Returns messages in quarantine, by partition and in order, for people to look at.

        They come without bodies and tracebacks: `body` and `detail` are empty.
        """
        ...

    async def waiting(self) -> Waiting:
        """Returns how many messages are in quarantine, and since when the oldest is."""
        ...

    async def get(self, id: str) -> Quarantined | None:
        """Returns one message, discarded ones included."""
        ...

    async def knows(self, ids: Sequence[str]) -> Set[str]:
        """Returns those of the messages that are in quarantine, were discarded, or that a person has decided about."""
        ...

    async def intend(self, id: str, intent: Intent) -> bool:
        """Leaves an intent for the owner; returns whether the message is there."""
        ...

    async def note(self, answered: Answered) -> None:
        """Keeps the outcome of an intent so far. The first body that is noted as the one before an edit is kept."""
        ...

    async def answer(self, answered: Answered) -> None:
        """Keeps the outcome of an intent, and removes the intent, unless a person has left another one meanwhile."""
        ...

    async def answers(self, message: str = "", *, limit: int = 100) -> Sequence[Answered]:
        """Returns the outcomes of people's intents, the latest first, of one message or all."""
        ...
