"""The anti-corruption layer: translates Fraud's events to commands of Transfers."""

from finance.fraud.v1 import fraud_events_pb2 as fraud

from services.finance.transfers.application.commands import NoteReview


def case_decided(event: fraud.CaseDecided) -> NoteReview:
    return NoteReview(transfer_id=event.transfer_id, fraud=event.fraud, by=event.by)
