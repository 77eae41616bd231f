"""The price of an order: its lines, its delivery, and the tax on both."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from treaty.domain import Invalid, Rejected

from services.commerce.money import CURRENCIES, Money, share, total


class Tier(StrEnum):
    """The tier of a customer. Higher tiers have more free deliveries."""

    STANDARD = "standard"
    GOLD = "gold"
    VIP = "vip"


class Method(StrEnum):
    """The method of a delivery."""

    STANDARD = "standard"
    EXPRESS = "express"
    OVERNIGHT = "overnight"


CHARGES: Mapping[Method, int] = {Method.STANDARD: 4, Method.EXPRESS: 9, Method.OVERNIGHT: 19}
"""The price of a delivery, in major units of the order's currency."""

FREE_FROM = 50
"""The subtotal from which standard delivery is free, in major units of the order's currency."""

FREE_FOR: Mapping[Tier, frozenset[Method]] = {
    Tier.STANDARD: frozenset(),
    Tier.GOLD: frozenset({Method.STANDARD}),
    Tier.VIP: frozenset({Method.STANDARD, Method.EXPRESS}),
}

TAX_PERCENT: Mapping[str, int] = {"GB": 20, "IE": 23, "DE": 19, "FR": 20, "NL": 21, "ES": 21, "IT": 22, "SE": 25}
"""The tax by country of delivery. A delivery to another country is an export without tax."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Pieces of one SKU. `unit_price` is the price of one piece without tax."""

    sku: str
    quantity: int
    unit_price: Money

    def __post_init__(self) -> None:
        if self.quantity <= 0:
            raise Invalid(f"{self.quantity} pieces of {self.sku} cannot be ordered", field="lines.quantity")
        if self.unit_price.minor_units < 0:
            raise Invalid(f"the price of {self.sku} cannot be negative", field="lines.unit_price")

    @property
    def price(self) -> Money:
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How and where to deliver. `address` is a reference to the personal data, where the address can be erased."""

    method: Method
    country: str
    address: str

    def moved_to(self, other: "Delivery") -> "Delivery":
        """Returns this delivery to another address in the same country, which decides the tax."""
        if other.country != self.country:
            raise Rejected(
                "the tax of another country differs: cancel this order and place a new one", reason="COUNTRY_DIFFERS"
            )
        return replace(self, address=other.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The price of an order. `total` is the sum of the other amounts."""

    subtotal: Money
    shipping: Money
    tax: Money
    total: Money


def totals_of(lines: Sequence[Line], delivery: Delivery, tier: Tier) -> Totals:
    """Returns the price of the lines with their delivery and tax."""
    subtotal = total(line.price for line in lines)
    shipping = charge_for(delivery.method, tier, subtotal)
    tax = share(subtotal + shipping, TAX_PERCENT.get(delivery.country, 0), 100)
    return Totals(subtotal=subtotal, shipping=shipping, tax=tax, total=subtotal + shipping + tax)


def charge_for(method: Method, tier: Tier, subtotal: Money) -> Money:
    """Returns the price of the delivery."""
    unit = 10 ** CURRENCIES[subtotal.currency]
    large = method is Method.STANDARD and subtotal.minor_units >= FREE_FROM * unit
    free = large or method in FREE_FOR[tier]
    return Money(0 if free else CHARGES[method] * unit, subtotal.currency)


def refund_for(returned: Iterable[Line], totals: Totals) -> Money:
    """Returns the refund for lines of a delivered order: their price and their part of the tax.

    The price of the delivery is not refunded. The part of the tax is rounded down, so that many small returns are never
    refunded too much.
    """
    price = total(line.price for line in returned)
    taxed = (totals.subtotal + totals.shipping).minor_units
    tax = totals.tax.minor_units * price.minor_units // taxed if taxed else 0
    return price + Money(tax, price.currency)


def check_lines(lines: Sequence[Line]) -> None:
    """Raises Invalid if there are no lines, two lines have the same SKU, or the currencies differ."""
    if not lines:
        raise Invalid("an order needs at least one line", field="lines")
    if len({line.sku for line in lines}) != len(lines):
        raise Invalid("every SKU may be in one line only", field="lines")
    if len({line.unit_price.currency for line in lines}) != 1:
        raise Invalid("all prices of an order must be in the same currency", field="lines.unit_price.currency")


def check_prices(lines: Sequence[Line], prices: Mapping[str, Money]) -> None:
    """Raises Rejected unless every line has the current price.

    Args:
        prices: the current prices by SKU, of all products that can be bought.
    """
    unknown = [line.sku for line in lines if line.sku not in prices]
    if unknown:
        raise Rejected(f"{', '.join(unknown[:5])} cannot be bought", reason="NOT_OFFERED")
    changed = {line.sku: prices[line.sku] for line in lines if prices[line.sku] != line.unit_price}
    if changed:
        now = ", ".join(f"{sku} costs {price}" for sku, price in list(changed.items())[:5])
        details = {sku: str(price.minor_units) for sku, price in list(changed.items())[:100]}
        raise Rejected(f"the price has changed: {now}", reason="PRICE_CHANGED", details=details)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A lower price from `starts_at` (inclusive) to `ends_at` (exclusive)."""

    price: Money
    starts_at: datetime
    ends_at: datetime


def price_at(list_price: Money, promotion: Promotion | None, now: datetime) -> Money:
    """Returns the price of one piece at a moment."""
    if promotion is not None and promotion.starts_at <= now < promotion.ends_at:
        return promotion.price
    return list_price
