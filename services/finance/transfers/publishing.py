"""Translates the domain events of Transfers to integration events."""

from collections.abc import Iterator
from typing import Any

from finance.transfers.v1 import transfers_events_pb2 as events

from services.finance.transfers.domain import events as e
from services.finance.transfers.domain.events import TransferEvent
from services.finance.transfers.domain.transfer import Transfer
from services.finance.wire import money_to_wire

Published = (
    events.PaymentInitiated
    | events.PaymentCompleted
    | events.PaymentFailed
    | events.PaymentRefunded
    | events.InsufficientFunds
    | events.PaymentStuck
    | events.RefundStuck
    | events.RefundRefused
)
"""The integration events of `publish`."""


def publish(transfer: Transfer, event: TransferEvent) -> Iterator[Published]:
    """Policy: announces the beginning and the end of a transfer, that its payer lacks the money, and what is stuck."""
    terms = transfer.terms
    if terms is None:
        return
    told: dict[str, Any] = {
        "transfer_id": transfer.id,
        "payer": terms.payer,
        "payee": terms.payee,
        "amount": money_to_wire(terms.amount),
        "customer_id": terms.customer_id,
    }
    match event:
        case e.TransferInitiated():
            yield events.PaymentInitiated(**told)
        case e.TransferCompleted():
            yield events.PaymentCompleted(**told)
        case e.TransferFailed():
            if event.code == "INSUFFICIENT_FUNDS":
                yield events.InsufficientFunds(**told)
            yield events.PaymentFailed(**told, code=event.code, reason=event.reason, parked=event.parked)
        case e.RefundPaid():
            yield events.PaymentRefunded(**told, parked=event.parked)
        case e.TransferStuck():
            yield events.PaymentStuck(**told, reason=event.reason)
        case e.RefundStuck():
            yield events.RefundStuck(**told, reason=event.reason)
        case e.RefundRefused():
            yield events.RefundRefused(**told, reason=event.reason)
        case _:
            return
