"""Money, the shared kernel of the commerce domain: an integer of minor units and a currency, never a float."""

from collections.abc import Iterable
from dataclasses import dataclass

from treaty.domain import Invalid

CURRENCIES = {
    "GBP": 2,
    "EUR": 2,
    "USD": 2,
    "CHF": 2,
    "SEK": 2,
    "DKK": 2,
    "NOK": 2,
    "PLN": 2,
    "JPY": 0,
    "AUD": 2,
    "CAD": 2,
}
"""The currencies we trade in, and the number of decimals of each (ISO 4217)."""

LIMIT = 10**15
"""The largest amount, in minor units. The sum of many such amounts still fits into 64 bits."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the minor unit of its currency: Money(1250, "GBP") is £12.50."""

    minor_units: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in CURRENCIES:
            raise Invalid(f"{self.currency!r} is not a currency we trade in", field="currency")
        if abs(self.minor_units) > LIMIT:
            raise Invalid(f"the largest amount is {LIMIT} minor units, not {self.minor_units}", field="minor_units")

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise Invalid(f"amounts in {self.currency} and {other.currency} cannot be added", field="currency")
        return Money(self.minor_units + other.minor_units, self.currency)

    def __mul__(self, factor: int) -> "Money":
        return Money(self.minor_units * factor, self.currency)

    def __str__(self) -> str:
        decimals = CURRENCIES[self.currency]
        if not decimals:
            return f"{self.minor_units} {self.currency}"
        whole, part = divmod(abs(self.minor_units), 10**decimals)
        return f"{'-' if self.minor_units < 0 else ''}{whole}.{part:0{decimals}d} {self.currency}"


def total(amounts: Iterable[Money]) -> Money:
    """Returns the sum of one or more amounts of one currency."""
    first, *others = amounts
    for amount in others:
        first += amount
    return first


def share(amount: Money, part: int, whole: int) -> Money:
    """Returns `part / whole` of an amount, rounded half up to the minor unit."""
    return Money((2 * amount.minor_units * part + whole) // (2 * whole), amount.currency)
