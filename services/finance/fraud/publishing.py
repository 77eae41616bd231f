"""Translates the domain events of Fraud to integration events."""

from collections.abc import Iterator

from finance.fraud.v1 import fraud_events_pb2 as events

from services.finance.fraud.domain.case import Case
from services.finance.fraud.domain.events import CaseClosed, CaseDecided, CaseEvent, CaseOpened, TransferEnded
from services.finance.wire import money_to_wire, time_to_wire

Published = events.CaseOpened | events.CaseDecided | events.CaseClosed
"""The integration events of `publish`."""


def publish(case: Case, event: CaseEvent) -> Iterator[Published]:
    """Policy: announces the cases, the decisions of people, and the cases that need none any more."""
    match event:
        case CaseOpened():
            yield events.CaseOpened(
                transfer_id=case.id,
                payer=event.payer,
                amount=money_to_wire(event.transfer.amount),
                opened_at=time_to_wire(event.opened_at),
            )
        case CaseDecided():
            yield events.CaseDecided(
                transfer_id=case.id, fraud=event.fraud, by=event.by, decided_at=time_to_wire(event.decided_at)
            )
        case CaseClosed():
            yield events.CaseClosed(transfer_id=case.id, code=event.code, closed_at=time_to_wire(event.closed_at))
        case TransferEnded():
            return
