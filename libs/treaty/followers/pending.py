"""The port of pending work: calls, timers, and messages that could not be delivered at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from treaty.commits.commit import Document
from treaty.probes import Waiting

Kind = Literal["call", "publish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Work that waits. Ids of one lane sort in its order; only the first of a lane may run.

    `due` is None for "as soon as possible"; `body` depends on the kind; `since` is when it was committed; `missing` is
    the dependency that was away at the last attempt.
    """

    id: str
    lane: str
    kind: Kind
    body: Document
    due: datetime | None = None
    attempts: int = 0
    error: str = ""
    since: datetime | None = None
    missing: str = ""

    @property
    def is_timer(self) -> bool:
        """A timer is a lane of its own."""
        return self.lane == self.id

    @property
    def group(self) -> str:
        """Items of one group probably need the same dependency: the one that was missing, or else the command's."""
        return self.missing or str(self.body.get("type", self.kind))


@dataclass(frozen=True, slots=True)
class First:
    """The first item of a lane, and the seconds until it is due by the server's clock; 0 if it is due."""

    item: Item
    wait: float


class Pending(Protocol):
    """Keeps pending work of one context. Only the holder of the followers' lease touches it."""

    async def add(self, items: Sequence[Item]) -> None:
        """Keeps the items on a majority; ids that are there already stay as they are."""
        ...

    async def first(self, lanes: Sequence[str]) -> Mapping[str, First]:
        """Returns the first item of each of the lanes that has one."""
        ...

    async def delay(self, item: Item, seconds: float) -> None:
        """Puts an item off by the server's clock, and stores its attempts, its error and what was missing."""
        ...

    async def done(self, id: str) -> None:
        """Forgets an item."""
        ...

    async def lanes(self) -> Mapping[str, str]:
        """Returns {lane: the id of its last item}, timers not included."""
        ...

    async def timers(self, limit: int) -> Mapping[str, datetime]:
        """Returns {id: when it is due} of the timers that are due first, the earliest first."""
        ...

    async def now(self) -> datetime:
        """Returns the time of the server's clock, by which work is due."""
        ...

    async def find(self, limit: int, *, kind: Kind | None = None, due: bool = False) -> Sequence[Item]:
        """Returns the first items by their ids, timers included, for people to look at.

        Args:
            kind: only items of this kind.
            due: without the timers whose time has not come by the server's clock.
        """
        ...

    async def waiting(self) -> Waiting:
        """Returns how many items are parked, timers not counted, and when the oldest was committed."""
        ...
