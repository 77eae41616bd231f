"""The commands and queries of Accounts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from treaty.projections import Page

from services.finance.accounts.domain.correction import Status as CorrectionStatus
from services.finance.accounts.domain.interest import Rates
from services.finance.accounts.domain.kinds import Kind
from services.finance.accounts.domain.postings import Contra, Purpose
from services.finance.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAccount:
    """`name` and `email` are personal data: they are stored beside the commit log and never committed."""

    account_id: str
    kind: Kind
    currency: str
    holder_id: str
    name: str
    email: str
    overdraft: int
    rates: Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTerms:
    account_id: str
    overdraft: int
    rates: Rates
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeAccount:
    account_id: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfreezeAccount:
    account_id: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAccount:
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseHolder:
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasePersonalData:
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    account_id: str
    hold_id: str
    amount: Money
    lasts: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    account_id: str
    hold_id: str
    amount: Money
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    account_id: str
    hold_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    account_id: str
    amount: Money
    purpose: Purpose
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Debit:
    account_id: str
    amount: Money
    purpose: Purpose
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleInterest:
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireHold:
    """A timer of an account."""

    account_id: str
    hold_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PayInterest:
    """A timer of an account. `due` shows whether the interest was posted, or put off, since the timer was set."""

    account_id: str
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeCorrection:
    posting_id: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveCorrection:
    posting_id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineCorrection:
    posting_id: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostCorrection:
    """A call of an approved correction to its account."""

    account_id: str
    posting_id: str
    amount: Money
    contra: Contra


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAccounts:
    """An empty `holder_id` or no `kind` stands for all."""

    holder_id: str
    kind: Kind | None
    page: Page


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadStatement:
    """`start` is the first moment, and `end` the first moment after it; None is no bound."""

    account_id: str
    start: datetime | None
    end: datetime | None
    page: Page


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadWholeStatement:
    """All postings from `start` until before `end`."""

    account_id: str
    start: datetime
    end: datetime
    not_before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindHold:
    account_id: str
    hold_id: str
    not_before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportLedger:
    """Bounds as in ReadStatement."""

    start: datetime | None
    end: datetime | None
    page: Page


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCorrections:
    """No `status` stands for all."""

    status: CorrectionStatus | None
    page: Page
