"""Batches: the pieces of an item that have a date. They are used up in the order of their dates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from treaty.domain import Invalid

MOST_BATCHES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Pieces that are good until the end of a day, written YYYY-MM-DD: such texts sort like the days."""

    expires_on: str
    quantity: int


Batches = tuple[Batch, ...]
"""One batch for each day, the earliest first."""


def day(text: str) -> str:
    """Returns a day as it is stored.

    Raises:
        Invalid: if there is no such day.
    """
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Invalid(f"{text!r} is not a day: write it as YYYY-MM-DD", field="expires_on") from None


def with_pieces(batches: Batches, expires_on: str, quantity: int) -> Batches:
    """Returns the batches after pieces of a day came in."""
    quantities = {batch.expires_on: batch.quantity for batch in batches}
    quantities[expires_on] = quantities.get(expires_on, 0) + quantity
    return tuple(Batch(expires_on=day, quantity=quantities[day]) for day in sorted(quantities))


def without_pieces(batches: Batches, quantity: int) -> Batches:
    """Returns the batches after pieces left: those with the earliest day go first, those without a day last."""
    left: list[Batch] = []
    for batch in batches:
        taken = min(quantity, batch.quantity)
        quantity -= taken
        if taken < batch.quantity:
            left.append(Batch(expires_on=batch.expires_on, quantity=batch.quantity - taken))
    return tuple(left)


def pieces(batches: Sequence[Batch]) -> int:
    """Returns how many pieces have a day."""
    return sum(batch.quantity for batch in batches)


def past(batches: Batches, today: str) -> int:
    """Returns how many pieces are good no longer."""
    return pieces([batch for batch in batches if batch.expires_on < today])
