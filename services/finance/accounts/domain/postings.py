"""Postings: money that moves between an account and a contra, a ledger of the bank that is only a sum."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.finance.accounts.domain.kinds import Kind
from services.finance.money import Money


class Contra(StrEnum):
    """The other sides of postings. They are a short, fixed list, so the trial balance of a currency is one row."""

    CASH = "contra:cash"
    TRANSFERS = "contra:transfers"
    FEES = "contra:fees"
    INTEREST = "contra:interest"


class Purpose(StrEnum):
    """The reason for a posting."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    TRANSFER_OUT = "transfer-out"
    TRANSFER_IN = "transfer-in"
    RETURN = "return"
    FEE = "fee"
    INTEREST = "interest"
    CORRECTION = "correction"
    RETURN_OUT = "return-out"


CREDITS = {Purpose.DEPOSIT: Contra.CASH, Purpose.TRANSFER_IN: Contra.TRANSFERS, Purpose.RETURN: Contra.TRANSFERS}
"""The purposes for which others may put money into an account, and the contra it comes from."""

DEBITS = {Purpose.WITHDRAWAL: Contra.CASH, Purpose.FEE: Contra.FEES, Purpose.RETURN_OUT: Contra.TRANSFERS}
"""The purposes for which others may take money out of an account, and the contra it goes to."""

PASSES_A_FREEZE = frozenset({Purpose.RETURN, Purpose.INTEREST, Purpose.CORRECTION})
"""The purposes of postings to a frozen account: its own money comes back, and the bank keeps its books."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One posting. `amount` is positive if the money goes into the account; the contra gets the opposite.

    Attributes:
        number: counts the postings of the account from 1.
        kind: the kind of the account.
        reference: the cause, such as the id of a transfer, or of the posting that is corrected.
        balance: the minor units in the account afterwards.
        posted_at: never before the posting before it.
    """

    number: int
    kind: Kind
    amount: Money
    contra: Contra
    purpose: Purpose
    reference: str
    balance: int
    posted_at: datetime

    @property
    def legs(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """The two sides: the ledger of each, and the minor units that it gets. Their sum is zero."""
        units = self.amount.minor_units
        return (self.kind.value, units), (self.contra.value, -units)


def posting_id(account_id: str, number: int) -> str:
    """Returns the id of a posting. The ids of an account's postings sort in their order."""
    return f"{account_id}/{number:012d}"
