"""Batches: the pieces of an item that have a last day. The good pieces with the earliest day are used first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from treaty.domain import Invalid

MOST_BATCHES = 100

MOST_HELD = 4_000
"""Parts of batches that an item holds: a batch counts once for each order. So an item fits into a commit, and so do the
effects of a day on which all of them expire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Pieces that are good until the end of a day. The day is written YYYY-MM-DD, so that texts sort like days."""

    expires_on: str
    quantity: int


Batches = tuple[Batch, ...]
"""One batch for each day, the earliest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The pieces of batches that are reserved for an order."""

    order_id: str
    batches: Batches


Holds = tuple[Hold, ...]


def day(text: str) -> str:
    """Returns a day in the form that is stored, YYYY-MM-DD.

    Raises:
        Invalid: if the text is not a day.
    """
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Invalid(f"{text!r} is not a day: write it as YYYY-MM-DD", field="expires_on") from None


def with_pieces(batches: Batches, expires_on: str, quantity: int) -> Batches:
    """Returns the batches after pieces with a last day were received."""
    quantities = {batch.expires_on: batch.quantity for batch in batches}
    quantities[expires_on] = quantities.get(expires_on, 0) + quantity
    return tuple(Batch(expires_on=day, quantity=quantities[day]) for day in sorted(quantities))


def end_of(expires_on: str) -> datetime | None:
    """Returns the moment at which a last day is over, in UTC; None for the last day of the calendar, which never is."""
    last = date.fromisoformat(expires_on)
    if last == date.max:
        return None
    return datetime.combine(last + timedelta(days=1), datetime.min.time(), tzinfo=UTC)


def first(batches: Iterable[Batch], quantity: int) -> Batches:
    """Returns the first pieces of the batches, at most `quantity`."""
    taken: list[Batch] = []
    for batch in batches:
        of_day = min(quantity, batch.quantity)
        quantity -= of_day
        if of_day > 0:
            taken.append(Batch(expires_on=batch.expires_on, quantity=of_day))
    return tuple(taken)


def without(batches: Batches, taken: Iterable[Batch]) -> Batches:
    """Returns the batches after these pieces left."""
    left = {batch.expires_on: batch.quantity for batch in batches}
    for batch in taken:
        left[batch.expires_on] = left.get(batch.expires_on, 0) - batch.quantity
    return tuple(Batch(expires_on=day, quantity=left[day]) for day in sorted(left) if left[day] > 0)


def held_for(holds: Holds, order_id: str) -> Batches:
    """Returns the pieces that are reserved for an order."""
    return tuple(batch for hold in holds if hold.order_id == order_id for batch in hold.batches)


def held_parts(holds: Holds) -> int:
    """Returns how many parts of batches are reserved: a batch counts once for each order."""
    return sum(len(hold.batches) for hold in holds)


def good(batches: Batches, today: str) -> Batches:
    """Returns the batches whose last day is not over."""
    return tuple(batch for batch in batches if batch.expires_on >= today)


def pieces(batches: Sequence[Batch]) -> int:
    """Returns the number of pieces in the batches."""
    return sum(batch.quantity for batch in batches)


def past(batches: Batches, today: str) -> int:
    """Returns the number of pieces whose last day is before `today`."""
    return pieces([batch for batch in batches if batch.expires_on < today])
