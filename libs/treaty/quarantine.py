"""The quarantine: messages that could not be handled, kept in order with all that follows on their key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from treaty.envelope import Envelope
from treaty.standing import Standing

Action = Literal["retry", "discard"]

SCHEDULE = (10.0, 60.0, 300.0, 1800.0, 7200.0)
"""Seconds until the owner of the partition tries again; after the last it is left to a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a person asks the owner of the partition to do."""

    action: Action
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A message in quarantine.

    `order` counts up within the partition. `error` is empty for a message that only waits behind another of its key.
    `next_try` is None when it is left to a person, or waits.
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


def next_try(attempts: int, now: datetime) -> datetime | None:
    """Returns when to try again after that many attempts in quarantine, or None: a person must look."""
    if attempts >= len(SCHEDULE):
        return None
    return now + timedelta(seconds=SCHEDULE[attempts])


class Quarantine(Protocol):
    """Keeps the quarantine of one context. Only the owner of a partition adds, updates or removes."""

    async def add(self, item: Quarantined) -> None:
        """Keeps the message, on a majority. An id that is there already stays as it is."""
        ...

    async def held(self, partition: int) -> Sequence[Quarantined]:
        """Returns everything that waits in the partition, in order."""
        ...

    async def update(self, item: Quarantined) -> None:
        """Replaces what is known of a message."""
        ...

    async def remove(self, id: str) -> None:
        """Forgets a message that was handled."""
        ...

    async def find(self, *, limit: int = 100) -> Sequence[Quarantined]:
        """Returns messages in quarantine, the oldest first, for people to look at."""
        ...

    async def standing(self) -> Standing:
        """Returns how many messages are in quarantine, and since when the oldest is."""
        ...

    async def get(self, id: str) -> Quarantined | None:
        """Returns one message, discarded ones included."""
        ...

    async def intend(self, id: str, intent: Intent) -> bool:
        """Leaves an intent for the owner; returns whether the message is there."""
        ...
