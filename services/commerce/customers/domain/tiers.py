"""The tiers, and the rules by which purchases earn them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.commerce.money import CURRENCIES, LIMIT, Money

YEAR = timedelta(days=365)


class Tier(StrEnum):
    STANDARD = "standard"
    GOLD = "gold"
    VIP = "vip"

    @property
    def rank(self) -> int:
        return list(Tier).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A completed order."""

    order_id: str
    amount: Money
    completed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """Money given back for an order. It may be recorded before the purchase."""

    return_id: str
    order_id: str
    amount: Money
    noted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A tier is earned by `orders` orders in a year, or by `units` major units of one currency, or more."""

    tier: Tier
    orders: int
    units: int


RULES = (Rule(tier=Tier.VIP, orders=20, units=2000), Rule(tier=Tier.GOLD, orders=5, units=500))
"""The highest tier first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """The purchases of a customer in a year, minus the refunds. Amounts of different currencies are never added."""

    orders: int
    spent: tuple[Money, ...]

    def __str__(self) -> str:
        amounts = [str(amount) for amount in self.spent if amount.minor_units]
        return " and ".join([f"{self.orders} order{'' if self.orders == 1 else 's'}", *amounts]) + " in a year"


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """A tier, and the reason why it is earned."""

    tier: Tier
    reason: str


def year_before(at: datetime, purchases: Sequence[Purchase], returns: Sequence[Return]) -> Year:
    """Returns the purchases of the year before a moment, minus the refunds."""
    recent = [purchase for purchase in purchases if is_recent(purchase.completed_at, at)]
    spent: dict[str, int] = {}
    for purchase in recent:
        currency = purchase.amount.currency
        spent[currency] = spent.get(currency, 0) + worth(purchase, returns)
    amounts = [Money(min(spent[currency], LIMIT), currency) for currency in sorted(spent)]
    return Year(orders=len(recent), spent=tuple(amounts))


def is_recent(moment: datetime, at: datetime) -> bool:
    return moment > at - YEAR


def worth(purchase: Purchase, returns: Sequence[Return]) -> int:
    """Returns the price of an order minus its refunds, in minor units. It is never negative."""
    back = [
        r.amount.minor_units
        for r in returns
        if r.order_id == purchase.order_id and r.amount.currency == purchase.amount.currency
    ]
    return max(0, purchase.amount.minor_units - sum(back))


def reaches(amount: Money, units: int) -> bool:
    """Returns whether `amount` is at least `units` major units of its currency."""
    return amount.minor_units >= units * int(10 ** CURRENCIES[amount.currency])


def earned_in(year: Year) -> Earned:
    """Returns the highest tier that a year's purchases earn."""
    for rule in RULES:
        if year.orders >= rule.orders:
            return Earned(tier=rule.tier, reason=f"{year.orders} orders in a year")
        for amount in year.spent:
            if reaches(amount, rule.units):
                return Earned(tier=rule.tier, reason=f"{amount} in a year")
    return Earned(tier=Tier.STANDARD, reason=str(year))
