"""Batches: the pieces of an item that have a last day. The pieces with the earliest day are used first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from treaty.domain import Invalid

MOST_BATCHES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Pieces that are good until the end of a day. The day is written YYYY-MM-DD, so that texts sort like days."""

    expires_on: str
    quantity: int


Batches = tuple[Batch, ...]
"""One batch for each day, the earliest first."""


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


def without_pieces(batches: Batches, quantity: int) -> Batches:
    """Returns the batches after pieces left. Pieces with the earliest day leave first, pieces without a day last."""
    left: list[Batch] = []
    for batch in batches:
        taken = min(quantity, batch.quantity)
        quantity -= taken
        if taken < batch.quantity:
            left.append(Batch(expires_on=batch.expires_on, quantity=batch.quantity - taken))
    return tuple(left)


def pieces(batches: Sequence[Batch]) -> int:
    """Returns the number of pieces in the batches."""
    return sum(batch.quantity for batch in batches)


def past(batches: Batches, today: str) -> int:
    """Returns the number of pieces whose last day is before `today`."""
    return pieces([batch for batch in batches if batch.expires_on < today])
