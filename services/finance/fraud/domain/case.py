"""The case aggregate: a transfer that was not accepted, and the decision of a person."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from treaty.domain import Aggregate, Rejected

from services.finance.fraud.domain.events import CaseDecided, CaseEvent, CaseOpened
from services.finance.fraud.domain.rules import Features, Transfer, Verdict


class Status(StrEnum):
    NEW = "new"
    OPEN = "open"
    FRAUD = "fraud"
    CLEARED = "cleared"


@dataclass(slots=True, kw_only=True)
class Case(Aggregate[CaseEvent]):
    """The case of one transfer. Its id is the transfer's."""

    status: Status = Status.NEW
    payer: str = ""
    transfer: Transfer | None = None
    verdict: Verdict | None = None
    decided_by: str = ""
    note: str = ""

    def open(self, *, payer: str, transfer: Transfer, features: Features, verdict: Verdict, now: datetime) -> None:
        if self.status is Status.NEW:
            self.record(CaseOpened(payer=payer, transfer=transfer, features=features, verdict=verdict, opened_at=now))

    def decide(self, *, fraud: bool, by: str, note: str, now: datetime) -> None:
        if self.status is not Status.OPEN:
            raise Rejected(
                f"the case of transfer {self.id} is decided already: {self.status}", reason="DECIDED_ALREADY"
            )
        self.record(CaseDecided(fraud=fraud, by=by, note=note, decided_at=now))

    def evolve(self, event: CaseEvent) -> None:
        match event:
            case CaseOpened():
                self.status, self.payer = Status.OPEN, event.payer
                self.transfer, self.verdict = event.transfer, event.verdict
            case CaseDecided():
                self.status = Status.FRAUD if event.fraud else Status.CLEARED
                self.decided_by, self.note = event.by, event.note
