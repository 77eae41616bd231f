"""The prices of a product in the past, and the lowest of them.

In the EU, a reduced price is shown with the lowest price of the 30 days before the reduction (Directive 98/6/EC,
article 6a).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.commerce.catalog.domain.values import Promotion
from services.commerce.money import Money

KEPT = 20
"""The number of past list prices, and of past promotions, that are kept in any case."""
MOST = 500
"""The most of each that are kept, even if more were valid in the time that counts."""
COUNTED = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPrice:
    """A list price, and the moment from which it was valid."""

    price: Money
    since: datetime


ListPrices = tuple[PastPrice, ...]
Promotions = tuple[Promotion, ...]
"""Promotions with the time in which they were valid indeed, in sequence."""


def with_price(prices: ListPrices, price: Money, since: datetime, promotions: Promotions) -> ListPrices:
    """Adds a list price, and forgets those that no longer count."""
    earliest = _end(promotions, since) - COUNTED
    counted = sum(past.since > earliest for past in prices) + 2  # the new one, and the one before all of them
    return (*prices, PastPrice(price=price, since=since))[-min(max(counted, KEPT), MOST) :]


def with_promotion(promotions: Promotions, promotion: Promotion, at: datetime) -> Promotions:
    """Adds a promotion that is made at a moment, and ends the one before it. Forgets those that no longer count."""
    ended = without_promotion(promotions, at)
    since = max(promotion.starts_at, at)
    if since >= promotion.ends_at:
        return ended
    counted = sum(past.ends_at > at - COUNTED for past in ended) + 1
    return (*ended, replace(promotion, starts_at=since))[-min(max(counted, KEPT), MOST) :]


def without_promotion(promotions: Promotions, at: datetime) -> Promotions:
    """Ends the last promotion at a moment. If it has not begun by then, it was never valid."""
    if not promotions or promotions[-1].is_over(at):
        return promotions
    *before, last = promotions
    return tuple(before) if at <= last.starts_at else (*before, replace(last, ends_at=at))


def lowest_price(prices: ListPrices, promotions: Promotions, at: datetime) -> Money | None:
    """Returns the lowest price of the 30 days before the promotion that runs at a moment, or before that moment.

    If there was no price before, that is the list price at the end of that time. None means that there is no price.
    """
    end = _end(promotions, at)
    start = end - COUNTED
    ends = [*(following.since for following in prices[1:]), end][: len(prices)]
    listed = [past.price for past, until in zip(prices, ends, strict=True) if max(past.since, start) < min(until, end)]
    reduced = [past.price for past in promotions if past.starts_at < end and start < past.ends_at]
    return min([*listed, *reduced] or _listed_at(prices, end), key=lambda price: price.minor_units, default=None)


def _end(promotions: Promotions, at: datetime) -> datetime:
    """Returns the start of the promotion that runs at a moment, or else that moment."""
    return next((past.starts_at for past in promotions if past.runs(at)), at)


def _listed_at(prices: ListPrices, at: datetime) -> Sequence[Money]:
    return [past.price for past in prices if past.since <= at][-1:] or [past.price for past in prices[:1]]
