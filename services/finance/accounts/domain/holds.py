"""Holds: reserved money. A hold ends exactly one way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from treaty.domain import Rejected

MOST_OPEN = 1_000
"""The most open holds of an account: its state is stored with every commit, so it must stay small."""

REMEMBERED = 32
"""The number of ended holds that an account remembers, to name the end of each. The read model has all of them."""


class Ending(StrEnum):
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Money in minor units that is reserved until it is captured or released, or until `expires_at`."""

    hold_id: str
    amount: int
    expires_at: datetime

    def is_open(self, now: datetime) -> bool:
        return now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedHold:
    hold_id: str
    ending: Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """The holds of one account: those that have not ended, and the last ones that have."""

    open: tuple[Hold, ...] = ()
    ended: tuple[EndedHold, ...] = ()

    @property
    def total(self) -> int:
        """The minor units that are held."""
        return sum(hold.amount for hold in self.open)

    def total_at(self, now: datetime) -> int:
        """Returns the minor units that are held, without the holds whose time is over."""
        return sum(hold.amount for hold in self.open if hold.is_open(now))

    def overdue(self, now: datetime) -> Sequence[Hold]:
        """Returns the holds whose time is over, and whose end is not recorded yet."""
        return [hold for hold in self.open if not hold.is_open(now)]

    def has(self, hold_id: str) -> bool:
        return any(hold.hold_id == hold_id for hold in self.open)

    def find(self, hold_id: str, now: datetime) -> Hold:
        """Returns a hold that may be captured or released now.

        Raises:
            Rejected: with the way it ended, also if its time is over and its end is not recorded yet.
        """
        for hold in self.open:
            if hold.hold_id == hold_id and hold.is_open(now):
                return hold
            if hold.hold_id == hold_id:
                raise _has_ended(hold_id, Ending.EXPIRED)
        for ended in self.ended:
            if ended.hold_id == hold_id:
                raise _has_ended(hold_id, ended.ending)
        raise Rejected(f"there is no open hold {hold_id}", reason="HOLD_NOT_OPEN")

    def with_hold(self, hold: Hold) -> "Holds":
        return Holds(open=(*self.open, hold), ended=self.ended)

    def ending(self, hold_id: str, ending: Ending) -> "Holds":
        """Returns the holds after one of them has ended."""
        ended = (*self.ended, EndedHold(hold_id=hold_id, ending=ending))[-REMEMBERED:]
        return Holds(open=tuple(hold for hold in self.open if hold.hold_id != hold_id), ended=ended)


def _has_ended(hold_id: str, ending: Ending) -> Rejected:
    return Rejected(f"hold {hold_id} is {ending} already", reason=f"HOLD_{ending.name}")
