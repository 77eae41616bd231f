"""The read model of Transfers: the transfers by payer, customer and status."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.finance.money import Money
from services.finance.transfers.domain import events as e
from services.finance.transfers.domain.events import TransferEvent
from services.finance.transfers.domain.progress import status_after
from services.finance.transfers.domain.statuses import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRow:
    """A transfer in a list. `code` says why it failed, or will fail."""

    transfer_id: str
    payer: str
    payee: str
    customer_id: str
    amount: Money
    status: Status
    code: str
    initiated_at: datetime


def transfer_row(transfer_id: str, row: TransferRow | None, event: TransferEvent) -> TransferRow | None:
    """Projects an event of a transfer onto its row."""
    if isinstance(event, e.TransferInitiated):
        return TransferRow(
            transfer_id=transfer_id,
            payer=event.terms.payer,
            payee=event.terms.payee,
            customer_id=event.terms.customer_id,
            amount=event.terms.amount,
            status=Status.CHECKING_ALLOWANCE,
            code="",
            initiated_at=event.initiated_at,
        )
    status = status_after(event)
    if row is None or status is None:
        return row
    code = event.code if isinstance(event, e.ReleaseStarted | e.ReturnStarted | e.TransferFailed) else row.code
    return replace(row, status=status, code=code)
