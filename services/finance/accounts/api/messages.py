"""The messages of the API: translates values of Accounts to protobuf messages and back."""

from typing import Any

from finance.accounts.v1 import accounts_service_pb2 as pb
from treaty.commits import Committed
from treaty.rpc import EnumTable

from services.finance.accounts.domain.account import Account
from services.finance.accounts.domain.correction import Correction
from services.finance.accounts.domain.correction import Status as CorrectionStatus
from services.finance.accounts.domain.interest import Rates
from services.finance.accounts.domain.kinds import Status
from services.finance.accounts.domain.postings import Purpose, posting_id
from services.finance.accounts.projections import AccountRow, CorrectionRow, HoldRow, PostingRow, TrialBalance
from services.finance.accounts.publishing import KINDS
from services.finance.money import Money
from services.finance.wire import money_to_wire, time_to_wire

_STATUS = EnumTable(
    {
        Status.OPEN: pb.ACCOUNT_STATUS_OPEN,
        Status.FROZEN: pb.ACCOUNT_STATUS_FROZEN,
        Status.CLOSED: pb.ACCOUNT_STATUS_CLOSED,
    }
)
PURPOSES = EnumTable(
    {
        Purpose.DEPOSIT: pb.PURPOSE_DEPOSIT,
        Purpose.WITHDRAWAL: pb.PURPOSE_WITHDRAWAL,
        Purpose.TRANSFER_OUT: pb.PURPOSE_TRANSFER_OUT,
        Purpose.TRANSFER_IN: pb.PURPOSE_TRANSFER_IN,
        Purpose.RETURN: pb.PURPOSE_RETURN,
        Purpose.FEE: pb.PURPOSE_FEE,
        Purpose.INTEREST: pb.PURPOSE_INTEREST,
        Purpose.CORRECTION: pb.PURPOSE_CORRECTION,
        Purpose.RETURN_OUT: pb.PURPOSE_RETURN_OUT,
    }
)
_HOLD_STATUS = EnumTable(
    {
        "open": pb.HOLD_STATUS_OPEN,
        "captured": pb.HOLD_STATUS_CAPTURED,
        "released": pb.HOLD_STATUS_RELEASED,
        "expired": pb.HOLD_STATUS_EXPIRED,
    }
)
CORRECTION_STATUS = EnumTable(
    {
        CorrectionStatus.PROPOSED: pb.CORRECTION_STATUS_PROPOSED,
        CorrectionStatus.APPROVED: pb.CORRECTION_STATUS_APPROVED,
        CorrectionStatus.DECLINED: pb.CORRECTION_STATUS_DECLINED,
        CorrectionStatus.POSTED: pb.CORRECTION_STATUS_POSTED,
        CorrectionStatus.REFUSED: pb.CORRECTION_STATUS_REFUSED,
    }
)


def rates_from_wire(message: pb.Rates) -> Rates:
    return Rates(credit=message.credit, debit=message.debit)


def account_to_wire(account: Account, available: int | None = None) -> pb.Account:
    """Returns an account; `available` is given where the holds whose time is over are left out."""
    assert account.opened_at is not None
    return pb.Account(
        account_id=account.id,
        kind=KINDS.to_wire(account.kind),
        status=_STATUS.to_wire(account.status),
        holder_id=account.holder_id,
        balance=money_to_wire(account.money(account.balance)),
        available=money_to_wire(account.money(account.available if available is None else available)),
        overdraft=money_to_wire(account.money(account.overdraft)),
        rates=pb.Rates(credit=account.rates.credit, debit=account.rates.debit),
        open_holds=len(account.holds.open),
        postings=account.postings,
        opened_at=time_to_wire(account.opened_at),
        holder_erased=account.erased,
    )


def moved_to_wire(moved: Committed[Account]) -> dict[str, Any]:
    """Returns the fields of the answer to a movement."""
    account = moved.state
    return {"account": account_to_wire(account), "posting_id": account.last_posting_id, "revision": moved.revision}


def correction_to_wire(correction: Correction) -> pb.Correction:
    assert correction.amount is not None
    return pb.Correction(
        posting_id=correction.id,
        account_id=correction.account_id,
        status=CORRECTION_STATUS.to_wire(correction.status),
        amount=money_to_wire(correction.amount),
        reason=correction.reason,
        proposed_by=correction.proposed_by,
        decided_by=correction.decided_by,
        answer=correction.answer,
        correcting_posting_id=correction.posting_id,
    )


def hold_to_wire(row: HoldRow) -> pb.Hold:
    return pb.Hold(
        hold_id=row.hold_id,
        account_id=row.account_id,
        amount=row.amount,
        captured=row.captured,
        status=_HOLD_STATUS.to_wire(row.status),
        expires_at=time_to_wire(row.expires_at),
    )


def summary_to_wire(row: AccountRow) -> pb.AccountSummary:
    return pb.AccountSummary(
        account_id=row.account_id,
        kind=KINDS.to_wire(row.kind),
        holder_id=row.holder_id,
        status=_STATUS.to_wire(row.status),
        balance=money_to_wire(row.balance),
    )


def correction_summary_to_wire(row: CorrectionRow) -> pb.CorrectionSummary:
    return pb.CorrectionSummary(
        posting_id=row.posting_id,
        status=CORRECTION_STATUS.to_wire(row.status),
        amount=money_to_wire(row.amount),
        reason=row.reason,
        proposed_by=row.proposed_by,
        decided_by=row.decided_by,
    )


def line_to_wire(row: PostingRow) -> pb.StatementLine:
    return pb.StatementLine(
        posting_id=posting_id(row.account_id, row.number),
        posted_at=time_to_wire(row.posted_at),
        amount=money_to_wire(row.amount),
        balance=money_to_wire(Money(row.balance, row.amount.currency)),
        purpose=PURPOSES.to_wire(row.purpose),
        reference=row.reference,
        contra=row.contra.value,
    )


def trial_balance_to_wire(row: TrialBalance) -> pb.TrialBalance:
    return pb.TrialBalance(
        currency=row.currency,
        ledgers=[
            pb.LedgerSum(ledger=ledger.name, credits=ledger.credits, debits=ledger.debits) for ledger in row.ledgers
        ],
        postings=row.postings,
        difference=row.difference,
    )
