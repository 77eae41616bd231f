"""The correction aggregate: reverses one posting, after two people have agreed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from treaty.domain import Aggregate, Rejected

from services.finance.accounts.domain.events import (
    CorrectionApproved,
    CorrectionDeclined,
    CorrectionEvent,
    CorrectionPosted,
    CorrectionProposed,
    CorrectionRefused,
)
from services.finance.accounts.domain.postings import Contra
from services.finance.money import Money


class Status(StrEnum):
    NEW = "new"
    PROPOSED = "proposed"
    APPROVED = "approved"
    DECLINED = "declined"
    POSTED = "posted"
    REFUSED = "refused"


MAY_BE_PROPOSED = frozenset({Status.NEW, Status.DECLINED, Status.REFUSED})


@dataclass(slots=True, kw_only=True)
class Correction(Aggregate[CorrectionEvent]):
    """The correction of one posting. Its id is the posting's, so a posting is corrected once.

    Attributes:
        attempt: counts the proposals; a declined or refused correction may be proposed again.
        posting_id: the posting that corrects, once it is made.
    """

    status: Status = Status.NEW
    account_id: str = ""
    amount: Money | None = None
    contra: Contra = Contra.CASH
    attempt: int = 0
    reason: str = ""
    proposed_by: str = ""
    decided_by: str = ""
    answer: str = ""
    posting_id: str = ""

    def propose(self, *, account_id: str, amount: Money, contra: Contra, reason: str, by: str, now: datetime) -> None:
        if self.status not in MAY_BE_PROPOSED:
            raise Rejected(f"the correction of posting {self.id} is {self.status} already", reason="CORRECTED_ALREADY")
        self.record(
            CorrectionProposed(
                account_id=account_id,
                amount=amount,
                contra=contra,
                reason=reason,
                by=by,
                attempt=self.attempt + 1,
                proposed_at=now,
            )
        )

    def approve(self, by: str, now: datetime) -> None:
        """Approves the proposal. Only another person than its proposer may do so."""
        self._must_be_proposed()
        if by == self.proposed_by:
            raise Rejected(f"{by} proposed the correction, so another person must approve it", reason="SAME_PERSON")
        self.record(CorrectionApproved(by=by, approved_at=now))

    def decline(self, by: str, reason: str, now: datetime) -> None:
        self._must_be_proposed()
        self.record(CorrectionDeclined(by=by, reason=reason, declined_at=now))

    def posted(self, posting_id: str) -> None:
        if self.status is Status.APPROVED:
            self.record(CorrectionPosted(posting_id=posting_id))

    def refused(self, reason: str) -> None:
        if self.status is Status.APPROVED:
            self.record(CorrectionRefused(reason=reason))

    def _must_be_proposed(self) -> None:
        if self.status is not Status.PROPOSED:
            raise Rejected(f"the correction of posting {self.id} is {self.status}, not proposed", reason="NOT_PROPOSED")

    def evolve(self, event: CorrectionEvent) -> None:
        match event:
            case CorrectionProposed():
                self.status, self.account_id, self.attempt = Status.PROPOSED, event.account_id, event.attempt
                self.amount, self.contra, self.reason = event.amount, event.contra, event.reason
                self.proposed_by, self.decided_by, self.answer = event.by, "", ""
            case CorrectionApproved():
                self.status, self.decided_by = Status.APPROVED, event.by
            case CorrectionDeclined():
                self.status, self.decided_by, self.answer = Status.DECLINED, event.by, event.reason
            case CorrectionPosted():
                self.status, self.posting_id = Status.POSTED, event.posting_id
            case CorrectionRefused():
                self.status, self.answer = Status.REFUSED, event.reason
