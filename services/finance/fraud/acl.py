"""The anti-corruption layer: translates the events of Transfers to commands of Fraud."""

from finance.transfers.v1 import transfers_events_pb2 as transfers

from services.finance.fraud.application import NotePayment
from services.finance.wire import money_from_wire


def payment_completed(event: transfers.PaymentCompleted) -> NotePayment:
    return NotePayment(
        payer=event.payer,
        transfer_id=event.transfer_id,
        payee=event.payee,
        amount=money_from_wire(event.amount),
    )
