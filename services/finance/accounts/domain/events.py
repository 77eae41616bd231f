"""The events of accounts and corrections."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.finance.accounts.domain.holds import Hold
from services.finance.accounts.domain.interest import Rates
from services.finance.accounts.domain.kinds import Kind
from services.finance.accounts.domain.postings import Contra, Posting
from services.finance.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOpened:
    """`private_ref` finds the personal data of the holder, which no event has. `interest_due` is None without rates."""

    kind: Kind
    currency: str
    holder_id: str
    private_ref: str
    overdraft: int
    rates: Rates
    interest_due: datetime | None
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsChanged:
    overdraft: int
    rates: Rates
    interest_due: datetime | None
    by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFrozen:
    reason: str
    by: str
    frozen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUnfrozen:
    reason: str
    by: str
    unfrozen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountClosed:
    closed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderErased:
    erased_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPlaced:
    """`lasts` is the time after which the hold expires, by the server's clock; `hold.expires_at` is an estimate."""

    hold: Hold
    lasts: timedelta
    placed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldCaptured:
    """`amount` is the part that was taken, in minor units. The rest is free again."""

    hold_id: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReleased:
    hold_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldExpired:
    hold_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """Both sides of a posting: the account of the stream, and the contra."""

    posting: Posting


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestReckoned:
    """Interest was reckoned up to a moment; `amount` of it, in minor units, is posted by the same commit."""

    amount: int
    until: datetime
    interest_due: datetime | None


AccountEvent = (
    AccountOpened
    | TermsChanged
    | AccountFrozen
    | AccountUnfrozen
    | AccountClosed
    | HolderErased
    | HoldPlaced
    | HoldCaptured
    | HoldReleased
    | HoldExpired
    | Posted
    | InterestReckoned
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionProposed:
    """`amount` is what the correction posts: the opposite of the original. `attempt` counts the proposals from 1."""

    account_id: str
    amount: Money
    contra: Contra
    reason: str
    by: str
    attempt: int
    proposed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionApproved:
    by: str
    approved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionDeclined:
    by: str
    reason: str
    declined_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionPosted:
    posting_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionRefused:
    """The account refused the posting, for example because the money is spent."""

    reason: str


CorrectionEvent = CorrectionProposed | CorrectionApproved | CorrectionDeclined | CorrectionPosted | CorrectionRefused
