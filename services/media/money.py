"""Money, the shared kernel of the media domain: an integer of minor units and a currency, never a float."""

from dataclasses import dataclass

from treaty.domain import Invalid

CURRENCIES = {"GBP": 2, "EUR": 2, "USD": 2, "CHF": 2, "JPY": 0}
"""The currencies in which licenses are sold, and the number of decimals of each (ISO 4217)."""

LIMIT = 10**12
"""The largest amount, in minor units. The sum of many such amounts still fits into 64 bits."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the minor unit of its currency: Money(1250, "GBP") is £12.50. It is never negative."""

    minor_units: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in CURRENCIES:
            raise Invalid(f"licenses are not sold in {self.currency!r}: use {', '.join(CURRENCIES)}", field="currency")
        if not 0 <= self.minor_units <= LIMIT:
            raise Invalid(f"a price is 0 to {LIMIT} minor units, not {self.minor_units}", field="minor_units")

    def __str__(self) -> str:
        decimals = CURRENCIES[self.currency]
        if not decimals:
            return f"{self.minor_units} {self.currency}"
        whole, part = divmod(self.minor_units, 10**decimals)
        return f"{whole}.{part:0{decimals}d} {self.currency}"
