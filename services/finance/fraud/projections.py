"""The read model of Fraud: the cases, which are the review queue and the training data."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.finance.fraud.domain.case import Status
from services.finance.fraud.domain.events import CaseClosed, CaseDecided, CaseEvent, CaseOpened, TransferEnded
from services.finance.fraud.domain.rules import Decision, Features
from services.finance.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """A case in a list."""

    transfer_id: str
    payer: str
    payee: str
    amount: Money
    status: Status
    decision: Decision
    points: int
    features: Features
    decided_by: str
    opened_at: datetime


def case_row(transfer_id: str, row: CaseRow | None, event: CaseEvent) -> CaseRow | None:
    """Projects an event of a case onto its row."""
    match event:
        case CaseOpened():
            return CaseRow(
                transfer_id=transfer_id,
                payer=event.payer,
                payee=event.transfer.payee,
                amount=event.transfer.amount,
                status=Status.OPEN,
                decision=event.verdict.decision,
                points=event.verdict.points,
                features=event.features,
                decided_by="",
                opened_at=event.opened_at,
            )
        case CaseDecided():
            return row and replace(row, status=Status.FRAUD if event.fraud else Status.CLEARED, decided_by=event.by)
        case CaseClosed():
            return row and replace(row, status=Status.CLOSED)
        case TransferEnded():
            return row
