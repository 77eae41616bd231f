"""The anti-corruption layer: translates the events of Transfers to commands of Fraud."""

from finance.transfers.v1 import transfers_events_pb2 as transfers

from services.finance.fraud.application import NoteFailure, NotePayment
from services.finance.wire import money_from_wire

_NEVER_SCREENED = frozenset({"DAILY_LIMIT", "INSUFFICIENT_FUNDS"})
"""The codes of transfers that fail before their screening, so they have no case."""


def payment_completed(event: transfers.PaymentCompleted) -> NotePayment:
    return NotePayment(
        payer=event.payer,
        transfer_id=event.transfer_id,
        payee=event.payee,
        amount=money_from_wire(event.amount),
    )


def payment_failed(event: transfers.PaymentFailed) -> NoteFailure | None:
    if event.code in _NEVER_SCREENED:
        return None
    return NoteFailure(transfer_id=event.transfer_id, code=event.code)
