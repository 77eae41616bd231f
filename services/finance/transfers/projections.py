"""The read models of Transfers: the transfers by payer, customer, status and refund, and the standing orders."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.finance.money import Money
from services.finance.transfers.domain import events as e
from services.finance.transfers.domain.calendar import Every
from services.finance.transfers.domain.events import OrderEvent, TransferEvent
from services.finance.transfers.domain.progress import refund_after, status_after
from services.finance.transfers.domain.statuses import Refund, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRow:
    """A transfer in a list. `code` says why it failed, or will fail.

    `refund` has no parking: a refund on its way to the suspense account is on its way, as the one to the payer is.
    """

    transfer_id: str
    payer: str
    payee: str
    customer_id: str
    amount: Money
    status: Status
    code: str
    initiated_at: datetime
    refund: Refund = Refund.NONE


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
    if row is None:
        return None
    refund = refund_after(event) or row.refund
    return replace(
        row,
        status=status_after(event) or row.status,
        code=event.code if isinstance(event, e.ReleaseStarted | e.ReturnStarted | e.TransferFailed) else row.code,
        refund=Refund.CREDITING if refund is Refund.PARKING else refund,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """A standing order, or a scheduled transfer, in a list. `next_at` is None after its end."""

    order_id: str
    payer: str
    payee: str
    customer_id: str
    amount: Money
    every: Every
    first_at: datetime
    next_at: datetime | None
    made: int
    ended: bool


def order_row(order_id: str, row: OrderRow | None, event: OrderEvent) -> OrderRow | None:
    """Projects an event of an order onto its row."""
    match event:
        case e.OrderPlaced():
            return OrderRow(
                order_id=order_id,
                payer=event.terms.payer,
                payee=event.terms.payee,
                customer_id=event.terms.customer_id,
                amount=event.terms.amount,
                every=event.schedule.every,
                first_at=event.next_at,
                next_at=event.next_at,
                made=0,
                ended=False,
            )
        case e.OrderRan():
            ended = event.next_at is None
            return row and replace(row, next_at=event.next_at, made=row.made + len(event.made), ended=ended)
        case e.OrderEnded():
            return row and replace(row, next_at=None, ended=True)
