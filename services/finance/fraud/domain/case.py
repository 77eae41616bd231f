"""The case aggregate: a transfer that was not accepted, and the decision of a person."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from treaty.domain import Aggregate, NotFound, Rejected

from services.finance.fraud.domain.events import CaseClosed, CaseDecided, CaseEvent, CaseOpened, TransferEnded
from services.finance.fraud.domain.rules import Features, Transfer, Verdict


class Status(StrEnum):
    NEW = "new"
    OPEN = "open"
    FRAUD = "fraud"
    CLEARED = "cleared"
    CLOSED = "closed"


@dataclass(slots=True, kw_only=True)
class Case(Aggregate[CaseEvent]):
    """The case of one transfer. Its id is the transfer's.

    A transfer may end before its case is opened, because the two are told in different ways. `code` says why it ended.
    """

    status: Status = Status.NEW
    payer: str = ""
    transfer: Transfer | None = None
    verdict: Verdict | None = None
    decided_by: str = ""
    note: str = ""
    code: str = ""

    def open(self, *, payer: str, transfer: Transfer, features: Features, verdict: Verdict, now: datetime) -> None:
        """Opens the case, once. That of a transfer that has ended is closed at once."""
        if self.status is not Status.NEW:
            return
        self.record(CaseOpened(payer=payer, transfer=transfer, features=features, verdict=verdict, opened_at=now))
        if self.code:
            self.record(CaseClosed(code=self.code, closed_at=now))

    def end(self, code: str, now: datetime) -> None:
        """Closes the case of a transfer that ended without an effect, or remembers it for a case that comes later."""
        if self.status is Status.OPEN:
            self.record(CaseClosed(code=code, closed_at=now))
        elif self.status is Status.NEW and not self.code:
            self.record(TransferEnded(code=code))

    def decide(self, *, fraud: bool, by: str, note: str, now: datetime) -> None:
        """Decides the case, once. A closed one may be decided too: that is training data."""
        if self.status is Status.NEW:
            raise NotFound(f"transfer {self.id} has no case")
        if self.status not in (Status.OPEN, Status.CLOSED):
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
            case TransferEnded():
                self.code = event.code
            case CaseClosed():
                self.status, self.code = Status.CLOSED, event.code
