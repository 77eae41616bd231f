"""Interest: reckoned by the day on the balance at its end, exact, and posted at the beginning of a month.

The sum is kept as an integer of minor units × basis points × days, so nothing is lost by rounding: the part of a minor
unit that is not posted stays in the sum. A year has 365 days (Actual/365 Fixed).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

UNIT = 10_000 * 365
"""One minor unit of interest: basis points of a whole × days of a year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Basis points per year: `credit` is paid to the holder of a positive balance, `debit` is charged on a negative."""

    credit: int = 0
    debit: int = 0

    def __bool__(self) -> bool:
        return bool(self.credit or self.debit)

    def earned(self, balance: int, days: int) -> int:
        """Returns the interest on a balance over some days, in 1 / UNIT of a minor unit."""
        return balance * days * (self.credit if balance > 0 else self.debit)


def whole_units(accrued: int) -> int:
    """Returns the whole minor units of a sum of interest, rounded towards zero."""
    return accrued // UNIT if accrued >= 0 else -(-accrued // UNIT)


def days_between(start: datetime, end: datetime) -> int:
    """Returns the number of ends of a day, in UTC, between two moments."""
    return max(0, (end.date() - start.date()).days)


def next_month(at: datetime) -> datetime:
    """Returns the first moment of the next month, in UTC."""
    inside = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)
    return inside.replace(day=1)
