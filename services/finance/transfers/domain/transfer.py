"""The transfer aggregate: an orchestration of steps in other contexts, with an undo for each.

Each step is asked for until it has a definite answer, under the same request id, so no outcome is ever guessed. An
answer that comes when the transfer waits for something else changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from treaty.domain import Aggregate, Rejected

from services.finance.transfers.domain import events as e
from services.finance.transfers.domain.events import Terms, TransferEvent
from services.finance.transfers.domain.progress import CANCELLED, FRAUD, refund_after, status_after
from services.finance.transfers.domain.statuses import (
    BEFORE_THE_HOLD,
    BEFORE_THE_MONEY_MOVED,
    ENDED,
    HELD,
    Decision,
    Refund,
    Status,
    Unscreened,
)
from services.finance.transfers.domain.terms import check_same_terms, check_terms

FOUND = "a review found fraud"


@dataclass(slots=True, kw_only=True)
class Transfer(Aggregate[TransferEvent]):
    """One transfer. `code` and `reason` say why it failed, or will fail.

    Attributes:
        found_fraud: the decision of a review; None before.
        attempt: counts the attempts to park the money in the suspense account.
        refunds: counts the attempts of a refund.
    """

    status: Status = Status.NEW
    terms: Terms | None = None
    day: str = ""
    initiated_at: datetime | None = None
    took_allowance: bool = False
    hold_id: str = ""
    decision: Decision | None = None
    unscreened: Unscreened | None = None
    reasons: tuple[str, ...] = ()
    approved_by: str = ""
    cancelling: bool = False
    code: str = ""
    reason: str = ""
    parked: bool = False
    attempt: int = 0
    refund: Refund = Refund.NONE
    refunds: int = 0
    refund_reason: str = ""
    refund_parked: bool = False
    found_fraud: bool | None = None

    def initiate(self, terms: Terms, day: str, now: datetime) -> None:
        """Initiates the transfer. The same transfer again changes nothing; another one under its id is refused."""
        if self.terms is not None:
            check_same_terms(self.id, self.terms, terms)
            return
        check_terms(terms)
        self.record(e.TransferInitiated(terms=terms, day=day, initiated_at=now))

    def allowance_taken(self) -> None:
        if self.status is Status.CHECKING_ALLOWANCE:
            self.record(e.AllowanceTaken())
            if self.cancelling:
                self._fail(CANCELLED, self.reason)

    def allowance_refused(self, code: str, reason: str) -> None:
        if self.status is Status.CHECKING_ALLOWANCE:
            self._fail(code, reason)

    def reserved(self, hold_id: str) -> None:
        if self.status is Status.RESERVING:
            self.record(e.MoneyReserved(hold_id=hold_id))
            if self.cancelling:
                self.record(e.ReleaseStarted(code=CANCELLED, reason=self.reason))
            elif self.found_fraud:
                self.record(e.ReleaseStarted(code=FRAUD, reason=FOUND))

    def not_reserved(self, code: str, reason: str) -> None:
        if self.status is Status.RESERVING:
            self._fail(code, reason)

    def screened(self, decision: Decision, reasons: tuple[str, ...], *, large: bool) -> None:
        """Records the verdict. One that comes after the policy was followed is shown to the approver, or blocks."""
        late = self.status is Status.AWAITING_APPROVAL and self.decision is None
        if self.status is not Status.SCREENING and not late:
            return
        self.record(e.TransferScreened(decision=decision, reasons=reasons))
        if decision is Decision.BLOCK:
            self.record(e.ReleaseStarted(code="FRAUD_SUSPECTED", reason="the screening blocked it"))
        elif late:
            return
        elif decision is Decision.ACCEPT or self.found_fraud is False:
            self._go_on(large=large)
        else:
            self.record(e.ReviewAsked())

    def screening_overdue(self, policy: Unscreened, *, large: bool) -> None:
        """Follows the policy for a transfer without a verdict, unless a review has cleared it already."""
        if self.status is not Status.SCREENING:
            return
        policy = Unscreened.ACCEPT if self.found_fraud is False else policy
        self.record(e.ScreeningMissed(policy=policy))
        match policy:
            case Unscreened.REFUSE:
                self.record(e.ReleaseStarted(code="NOT_SCREENED", reason="no verdict came in time"))
            case Unscreened.APPROVE:
                self.record(e.ApprovalAsked())
            case Unscreened.ACCEPT:
                self._go_on(large=large)

    def reviewed(self, *, fraud: bool, by: str, large: bool) -> None:
        """Records the decision of a review, which may come before the verdict, or after the policy was followed.

        Fraud dooms a transfer whose money has not moved. If a capture is on its way, its answer does.
        """
        if self.found_fraud is not None or self.status not in BEFORE_THE_MONEY_MOVED:
            return
        self.record(e.ReviewDecided(fraud=fraud, by=by))
        if fraud and self.status in HELD:
            self.record(e.ReleaseStarted(code=FRAUD, reason=FOUND))
        elif not fraud and self.status is Status.IN_REVIEW:
            self._go_on(large=large)

    def review_overdue(self) -> None:
        if self.status is Status.IN_REVIEW:
            self.record(e.ReleaseStarted(code="NOT_REVIEWED", reason="no review came in time"))

    def approve(self, by: str) -> None:
        """Approves the transfer. Only another person than its initiator may do so."""
        if self.status is not Status.AWAITING_APPROVAL:
            raise Rejected(
                f"transfer {self.id} awaits no approval: it is {self.status}", reason="NOT_AWAITING_APPROVAL"
            )
        if self.terms is not None and by == self.terms.initiated_by:
            raise Rejected(f"{by} initiated the transfer, so another person must approve it", reason="SAME_PERSON")
        self.record(e.TransferApproved(by=by))
        self.record(e.CaptureStarted())

    def approval_overdue(self) -> None:
        if self.status is Status.AWAITING_APPROVAL:
            self.record(e.ReleaseStarted(code="NOT_APPROVED", reason="no approval came in time"))

    def cancel(self, by: str, reason: str) -> None:
        """Cancels the transfer, until its money is captured."""
        if self.cancelling or self.status is Status.CANCELLED:
            return
        if self.status not in BEFORE_THE_HOLD | HELD:
            raise Rejected(f"transfer {self.id} is {self.status}, too late to cancel it", reason="TOO_LATE_TO_CANCEL")
        held = self.status in HELD
        self.record(e.CancellationAsked(by=by, reason=reason))
        if held:
            self.record(e.ReleaseStarted(code=CANCELLED, reason=reason))

    def captured(self, posting_id: str) -> None:
        if self.status is Status.CAPTURING:
            self.record(e.MoneyCaptured(posting_id=posting_id))
            if self.found_fraud:
                self.record(e.ReturnStarted(code=FRAUD, reason=FOUND))

    def not_captured(self, code: str, reason: str) -> None:
        if self.status is Status.CAPTURING:
            self.record(e.ReleaseStarted(code=code, reason=reason))

    def credited(self, posting_id: str) -> None:
        """Completes the transfer, and starts a refund that was asked for before."""
        if self.status is Status.CREDITING:
            self.record(e.TransferCompleted(posting_id=posting_id))
            if self.refund is Refund.ASKED:
                self.record(e.RefundStarted(attempt=self.refunds + 1))

    def not_credited(self, code: str, reason: str) -> None:
        if self.status is Status.CREDITING:
            self.record(e.ReturnStarted(code=code, reason=reason))

    def released(self) -> None:
        if self.status is Status.RELEASING:
            self._fail(self.code, self.reason)

    def returned(self) -> None:
        if self.status is Status.RETURNING:
            self._fail(self.code, self.reason)

    def not_returned(self) -> None:
        if self.status is Status.RETURNING:
            self.record(e.ParkingStarted(attempt=self.attempt + 1))

    def money_parked(self) -> None:
        if self.status is Status.PARKING:
            self._fail(self.code, self.reason, parked=True)

    def not_parked(self, reason: str) -> None:
        if self.status is Status.PARKING:
            self.record(e.TransferStuck(reason=reason))

    def resume(self) -> None:
        """Tries again to park money, or a refund, that the suspense account did not take."""
        if self.status is Status.STUCK:
            self.record(e.ParkingStarted(attempt=self.attempt + 1))
        elif self.refund is Refund.STUCK:
            self.record(e.RefundParkingStarted(attempt=self.attempt + 1))
        else:
            raise Rejected(f"transfer {self.id} is not stuck", reason="NOT_STUCK")

    def ask_refund(self, reason: str, by: str) -> None:
        """Asks for the money back, once. Before the transfer is completed, the refund waits for it."""
        if self.status in ENDED - {Status.COMPLETED}:
            raise Rejected(f"transfer {self.id} is {self.status}: there is nothing to refund", reason="NOT_COMPLETED")
        if self.refund not in (Refund.NONE, Refund.REFUSED):
            raise Rejected(f"the refund of transfer {self.id} is {self.refund} already", reason="REFUNDED_ALREADY")
        self.record(e.RefundAsked(reason=reason, by=by))
        if self.status is Status.COMPLETED:
            self.record(e.RefundStarted(attempt=self.refunds + 1))

    def refund_taken(self, posting_id: str) -> None:
        if self.refund is Refund.DEBITING:
            self.record(e.RefundTaken(posting_id=posting_id))

    def refund_refused(self, reason: str) -> None:
        if self.refund is Refund.DEBITING:
            self.record(e.RefundRefused(reason=reason))

    def refund_paid(self, posting_id: str) -> None:
        if self.refund in (Refund.CREDITING, Refund.PARKING):
            self.record(e.RefundPaid(posting_id=posting_id, parked=self.refund is Refund.PARKING))

    def refund_not_paid(self, reason: str) -> None:
        """Parks the refund of a payer whose account takes nothing; if it cannot be parked either, it is stuck."""
        if self.refund is Refund.CREDITING:
            self.record(e.RefundParkingStarted(attempt=self.attempt + 1))
        elif self.refund is Refund.PARKING:
            self.record(e.RefundStuck(reason=reason))

    def _go_on(self, *, large: bool) -> None:
        self.record(e.ApprovalAsked() if large else e.CaptureStarted())

    def _fail(self, code: str, reason: str, *, parked: bool = False) -> None:
        self.record(e.TransferFailed(code=code, reason=reason, parked=parked))
        if self.refund is Refund.ASKED:
            self.record(e.RefundRefused(reason="the transfer was not made"))

    def evolve(self, event: TransferEvent) -> None:
        self.status, self.refund = status_after(event) or self.status, refund_after(event) or self.refund
        match event:
            case e.TransferInitiated():
                self.terms, self.day, self.initiated_at = event.terms, event.day, event.initiated_at
            case e.AllowanceTaken():
                self.took_allowance = True
            case e.MoneyReserved():
                self.hold_id = event.hold_id
            case e.TransferScreened():
                self.decision, self.reasons = event.decision, event.reasons
            case e.ScreeningMissed():
                self.unscreened = event.policy
            case e.ReviewDecided():
                self.found_fraud = event.fraud
            case e.TransferApproved():
                self.approved_by = event.by
            case e.CancellationAsked():
                self.cancelling, self.reason = True, event.reason
            case _:
                self._evolve_undo(event)

    def _evolve_undo(self, event: TransferEvent) -> None:
        match event:
            case e.ReleaseStarted() | e.ReturnStarted():
                self.code, self.reason = event.code, event.reason
            case e.ParkingStarted() | e.RefundParkingStarted():
                self.attempt = event.attempt
            case e.TransferFailed():
                self.code, self.reason, self.parked = event.code, event.reason, event.parked
            case e.RefundStarted():
                self.refunds = event.attempt
            case e.RefundAsked() | e.RefundRefused() | e.RefundStuck():
                self.refund_reason = event.reason
            case e.RefundPaid():
                self.refund_parked = event.parked
            case _:
                return
