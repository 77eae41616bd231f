"""Money, the shared kernel of the finance domain: an integer of minor units and a currency, never a float."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from treaty.domain import Invalid

_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_TWO_DECIMALS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF "
    "CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL "
    "HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU "
    "MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR "
    "SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED "
    "VES WST XAD XCD XCG YER ZAR ZMW ZWG"
)
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS = "CLF UYW"
_UNITLESS = "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX"

CURRENCIES: Mapping[str, int] = {
    **dict.fromkeys(_NO_DECIMALS.split(), 0),
    **dict.fromkeys(_TWO_DECIMALS.split(), 2),
    **dict.fromkeys(_THREE_DECIMALS.split(), 3),
    **dict.fromkeys(_FOUR_DECIMALS.split(), 4),
}
"""The decimals of each currency. Source: ISO 4217, list one, as published by SIX on 1 January 2026."""

UNITLESS = frozenset(_UNITLESS.split())
"""The codes of the same list without a minor unit, such as gold (XAU): an amount in them has no whole number."""

LIMIT = 10**15
"""The largest amount, in minor units. The sum of many such amounts still fits into 64 bits."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the minor unit of its currency: Money(1250, "EUR") is 12.50, Money(1250, "BHD") is 1.250."""

    minor_units: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency in UNITLESS:
            raise Invalid(f"{self.currency} has no minor unit, so no account can be kept in it", field="currency")
        if self.currency not in CURRENCIES:
            raise Invalid(f"{self.currency!r} is no currency of ISO 4217", field="currency")
        if abs(self.minor_units) > LIMIT:
            raise Invalid(f"the largest amount is {LIMIT} minor units, not {self.minor_units}", field="minor_units")

    def __neg__(self) -> "Money":
        return Money(-self.minor_units, self.currency)

    def __str__(self) -> str:
        return f"{self.decimal} {self.currency}"

    @property
    def decimal(self) -> str:
        """The amount without its currency, with exactly the decimals of the currency: 12.50."""
        decimals = CURRENCIES[self.currency]
        sign, units = "-" if self.minor_units < 0 else "", abs(self.minor_units)
        whole, part = divmod(units, int(10**decimals))
        return f"{sign}{whole}.{part:0{decimals}d}" if decimals else f"{sign}{whole}"


def split(amount: Money, weights: Sequence[int]) -> Sequence[Money]:
    """Returns shares of an amount in proportion to the weights; their sum is the amount.

    Each share is rounded towards zero, and the minor units that are left go one by one to the shares with the largest
    remainders, the first of equal ones first (the method of the largest remainder, by Thomas Hare).

    Raises:
        Invalid: if a weight is negative, or none is positive.
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise Invalid("an amount is split by weights that are not negative, and one of them is positive")
    sign, units = (-1 if amount.minor_units < 0 else 1), abs(amount.minor_units)
    parts = [divmod(units * weight, whole) for weight in weights]
    left = units - sum(share for share, _ in parts)
    first = sorted(range(len(parts)), key=lambda index: (-parts[index][1], index))[:left]
    return [Money(sign * (share + (index in first)), amount.currency) for index, (share, _) in enumerate(parts)]
