"""The read models of Accounts: accounts, postings, holds, the trial balance, and corrections."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.finance.accounts.domain.correction import Status as CorrectionStatus
from services.finance.accounts.domain.events import (
    AccountClosed,
    AccountEvent,
    AccountFrozen,
    AccountOpened,
    AccountUnfrozen,
    CorrectionApproved,
    CorrectionDeclined,
    CorrectionEvent,
    CorrectionPosted,
    CorrectionProposed,
    CorrectionRefused,
    HoldCaptured,
    HoldExpired,
    HoldPlaced,
    HoldReleased,
    Posted,
)
from services.finance.accounts.domain.kinds import Kind, Status
from services.finance.accounts.domain.postings import Contra, Purpose, posting_id
from services.finance.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An account in a list."""

    account_id: str
    kind: Kind
    holder_id: str
    status: Status
    balance: Money
    opened_at: datetime


def account_row(account_id: str, row: AccountRow | None, event: AccountEvent) -> AccountRow | None:
    """Projects an event of an account onto its row."""
    match event:
        case AccountOpened():
            return AccountRow(
                account_id=account_id,
                kind=event.kind,
                holder_id=event.holder_id,
                status=Status.OPEN,
                balance=Money(0, event.currency),
                opened_at=event.opened_at,
            )
        case Posted():
            posting = event.posting
            return row and replace(row, balance=Money(posting.balance, posting.amount.currency))
        case AccountFrozen():
            return row and replace(row, status=Status.FROZEN)
        case AccountUnfrozen():
            return row and replace(row, status=Status.OPEN)
        case AccountClosed():
            return row and replace(row, status=Status.CLOSED)
        case _:
            return row


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingRow:
    """A line of a statement. `balance` is that of the account afterwards, in minor units."""

    account_id: str
    number: int
    kind: Kind
    amount: Money
    contra: Contra
    purpose: Purpose
    reference: str
    balance: int
    posted_at: datetime


def posting_row_id(account_id: str, event: AccountEvent) -> str | None:
    """Returns the id of the posting that an event is about, or None."""
    return posting_id(account_id, event.posting.number) if isinstance(event, Posted) else None


def posting_row(row_id: str, row: PostingRow | None, event: AccountEvent) -> PostingRow | None:
    """Projects a posting onto its row. The part of the row's id before the slash is the account's id."""
    if not isinstance(event, Posted):
        return row
    account_id, _, _ = row_id.partition("/")
    posting = event.posting
    return PostingRow(
        account_id=account_id,
        number=posting.number,
        kind=posting.kind,
        amount=posting.amount,
        contra=posting.contra,
        purpose=posting.purpose,
        reference=posting.reference,
        balance=posting.balance,
        posted_at=posting.posted_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The sums of one ledger in minor units: all that came in, and all that went out."""

    name: str
    credits: int
    debits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalance:
    """The sums of all ledgers in one currency, sorted by name, and the number of postings in them."""

    currency: str
    postings: int
    ledgers: tuple[Ledger, ...]

    @property
    def difference(self) -> int:
        """Credits minus debits of all ledgers. It is zero at every position of the log."""
        return sum(ledger.credits - ledger.debits for ledger in self.ledgers)


def trial_balance_id(account_id: str, event: AccountEvent) -> str | None:
    """Returns the currency of a posting; other events are in no trial balance."""
    return event.posting.amount.currency if isinstance(event, Posted) else None


def trial_balance(currency: str, row: TrialBalance | None, event: AccountEvent) -> TrialBalance | None:
    """Adds both sides of a posting. Sums do not depend on the order of the accounts' streams."""
    if not isinstance(event, Posted):
        return row
    ledgers = {ledger.name: ledger for ledger in row.ledgers} if row else {}
    for name, units in event.posting.legs:
        known = ledgers.get(name) or Ledger(name=name, credits=0, debits=0)
        ledgers[name] = replace(known, credits=known.credits + max(units, 0), debits=known.debits + max(-units, 0))
    return TrialBalance(
        currency=currency,
        postings=(row.postings if row else 0) + 1,
        ledgers=tuple(ledgers[name] for name in sorted(ledgers)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRow:
    """A hold, also after its end. `status` is open, captured, released or expired; `captured` is in minor units."""

    account_id: str
    hold_id: str
    amount: int
    captured: int
    status: str
    placed_at: datetime
    expires_at: datetime


def hold_row_id(account_id: str, hold_id: str) -> str:
    return f"{account_id}/{hold_id}"


def hold_id_of(account_id: str, event: AccountEvent) -> str | None:
    """Returns the id of the row of the hold that an event is about, or None."""
    match event:
        case HoldPlaced():
            return hold_row_id(account_id, event.hold.hold_id)
        case HoldCaptured() | HoldReleased() | HoldExpired():
            return hold_row_id(account_id, event.hold_id)
        case _:
            return None


def hold_row(row_id: str, row: HoldRow | None, event: AccountEvent) -> HoldRow | None:
    """Projects an event of a hold onto its row."""
    match event:
        case HoldPlaced():
            account_id, _, hold_id = row_id.partition("/")
            return HoldRow(
                account_id=account_id,
                hold_id=hold_id,
                amount=event.hold.amount,
                captured=0,
                status="open",
                placed_at=event.placed_at,
                expires_at=event.hold.expires_at,
            )
        case HoldCaptured():
            return row and replace(row, status="captured", captured=event.amount)
        case HoldReleased():
            return row and replace(row, status="released")
        case HoldExpired():
            return row and replace(row, status="expired")
        case _:
            return row


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionRow:
    """A correction in a list. `posting_id` is the posting that it corrects."""

    posting_id: str
    status: CorrectionStatus
    amount: Money
    reason: str
    proposed_by: str
    decided_by: str
    proposed_at: datetime


def correction_row(posting_id: str, row: CorrectionRow | None, event: CorrectionEvent) -> CorrectionRow | None:
    """Projects an event of a correction onto its row."""
    match event:
        case CorrectionProposed():
            return CorrectionRow(
                posting_id=posting_id,
                status=CorrectionStatus.PROPOSED,
                amount=event.amount,
                reason=event.reason,
                proposed_by=event.by,
                decided_by="",
                proposed_at=event.proposed_at,
            )
        case CorrectionApproved():
            return row and replace(row, status=CorrectionStatus.APPROVED, decided_by=event.by)
        case CorrectionDeclined():
            return row and replace(row, status=CorrectionStatus.DECLINED, decided_by=event.by)
        case CorrectionPosted():
            return row and replace(row, status=CorrectionStatus.POSTED)
        case CorrectionRefused():
            return row and replace(row, status=CorrectionStatus.REFUSED)
