"""The ports of leases and checkpoints: which process follows the log, and how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from treaty.commits.log import Place


class LeaseLost(Exception):
    """Another process holds the lease by now. Stop at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lease, and until when unless it is renewed."""

    owner: str
    epoch: int
    until: datetime


class Leases(Protocol):
    """Says which process does what only one may do. Times are the server's."""

    async def acquire(self, name: str, owner: str, seconds: float) -> int | None:
        """Takes or renews the lease. Returns its epoch, which grows with each new owner, or None: somebody has it."""
        ...

    async def release(self, name: str, owner: str) -> None:
        """Gives the lease up early."""
        ...

    async def holders(self) -> Mapping[str, Holder]:
        """Returns who holds each lease that somebody holds now, by its name."""
        ...


class Checkpoints(Protocol):
    """Keeps the places of followers. A holder of an older epoch is refused."""

    async def load(self) -> Mapping[str, Place]:
        """Returns the place of every follower that has one."""
        ...

    async def save(self, places: Mapping[str, Place], epoch: int) -> None:
        """Stores places.

        Raises:
            LeaseLost: if a newer epoch has stored its own.
        """
        ...

    async def forget(self, names: Sequence[str]) -> None:
        """Drops the places of followers that are no more."""
        ...
