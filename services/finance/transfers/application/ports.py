"""The ports of Transfers to Accounts and Fraud, and the rules that are settings."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from services.finance.money import CURRENCIES, LIMIT, Money
from services.finance.transfers.domain.events import Terms
from services.finance.transfers.domain.statuses import Decision, Unscreened

HOLD = timedelta(days=7)
"""How long money is held: longer than all deadlines together. It is no setting, so every repeat of a request is the
same. A doomed transfer gives its hold up at once; this is for one whose process never comes back."""


class Bank(Protocol):
    """The port to Accounts.

    Each method has one outcome for a `request_id`, for ever: it returns, or it raises DomainError, which is a definite
    refusal. Anything else that it raises means that the outcome is unknown, and the same call must be made again.
    """

    async def reserve(self, request_id: str, account: str, amount: Money, lasts: timedelta) -> str:
        """Holds money, and returns the id of the hold."""
        ...

    async def capture(self, request_id: str, account: str, hold_id: str, amount: Money, transfer_id: str) -> str:
        """Takes held money, and returns the id of the posting."""
        ...

    async def release(self, request_id: str, account: str, hold_id: str) -> None: ...

    async def credit(self, request_id: str, account: str, amount: Money, transfer_id: str) -> str:
        """Puts money of a transfer into an account, and returns the id of the posting."""
        ...

    async def give_back(self, request_id: str, account: str, amount: Money, transfer_id: str) -> str:
        """Puts money of a transfer back into an account, also into a frozen one; returns the id of the posting."""
        ...

    async def take_back(self, request_id: str, account: str, amount: Money, transfer_id: str) -> str:
        """Takes the money of a transfer from its payee, and returns the id of the posting."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    decision: Decision
    reasons: tuple[str, ...]


class Screening(Protocol):
    """The port to Fraud."""

    async def screen(self, request_id: str, transfer_id: str, terms: Terms, at: datetime) -> Verdict:
        """Returns the verdict on a transfer. Raises DomainError if there is none for good."""
        ...


class BankingDays(Protocol):
    """The port to the calendar of banking days."""

    def __call__(self, day: date) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules that are settings. The limits are in major units of each currency.

    Attributes:
        large: from this amount on, a second person approves.
        daily: the most that a customer transfers in one day of the bank.
        suspense: the beginning of the id of the suspense account of each currency, such as suspense- for suspense-eur.
    """

    zone: ZoneInfo
    large: int
    daily: int
    screening: timedelta
    review: timedelta
    approval: timedelta
    unscreened: Unscreened
    suspense: str

    def is_large(self, amount: Money) -> bool:
        return amount.minor_units >= self.large * int(10 ** CURRENCIES[amount.currency])

    def limit(self, currency: str) -> Money:
        return Money(min(LIMIT, self.daily * int(10 ** CURRENCIES[currency])), currency)

    def suspense_account(self, currency: str) -> str:
        return f"{self.suspense}{currency.lower()}"

    def day_of(self, moment: datetime) -> str:
        return moment.astimezone(self.zone).date().isoformat()
