"""The transfer aggregate: an orchestration of steps in other contexts, with an undo for each.

Each step is asked for until it has a definite answer, under the same request id, so no outcome is ever guessed. An
answer that comes when the transfer waits for something else changes nothing.
"""

from dataclasses import dataclass, fields
from datetime import datetime

from treaty.domain import Aggregate, Invalid, Rejected

from services.finance.transfers.domain import events as e
from services.finance.transfers.domain.events import Terms, TransferEvent
from services.finance.transfers.domain.statuses import (
    BEFORE_THE_HOLD,
    ENDED,
    HELD,
    Decision,
    Refund,
    Status,
    Unscreened,
)

CANCELLED = "CANCELLED"


@dataclass(slots=True, kw_only=True)
class Transfer(Aggregate[TransferEvent]):
    """One transfer. `code` and `reason` say why it failed, or will fail.

    Attributes:
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

    def initiate(self, terms: Terms, day: str, now: datetime) -> None:
        """Initiates the transfer. The same transfer again changes nothing; another one under its id is refused."""
        if self.terms is not None:
            for field in fields(Terms):
                if getattr(self.terms, field.name) != getattr(terms, field.name):
                    raise Invalid(f"transfer {self.id} exists with another {field.name}", field=field.name)
            return
        if terms.payer == terms.payee:
            raise Invalid("the payer and the payee must be two accounts", field="payee")
        if terms.amount.minor_units <= 0:
            raise Invalid(f"an amount must be positive, not {terms.amount}", field="amount.minor_units")
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

    def not_reserved(self, code: str, reason: str) -> None:
        if self.status is Status.RESERVING:
            self._fail(code, reason)

    def screened(self, decision: Decision, reasons: tuple[str, ...], *, large: bool) -> None:
        """Records the verdict. A verdict that comes after the policy was followed changes nothing."""
        if self.status is not Status.SCREENING:
            return
        self.record(e.TransferScreened(decision=decision, reasons=reasons))
        match decision:
            case Decision.ACCEPT:
                self._go_on(large=large)
            case Decision.REVIEW:
                self.record(e.ReviewAsked())
            case Decision.BLOCK:
                self.record(e.ReleaseStarted(code="FRAUD_SUSPECTED", reason="the screening blocked it"))

    def screening_overdue(self, policy: Unscreened, *, large: bool) -> None:
        """Follows the policy for a transfer without a verdict."""
        if self.status is not Status.SCREENING:
            return
        self.record(e.ScreeningMissed(policy=policy))
        match policy:
            case Unscreened.REFUSE:
                self.record(e.ReleaseStarted(code="NOT_SCREENED", reason="no verdict came in time"))
            case Unscreened.APPROVE:
                self.record(e.ApprovalAsked())
            case Unscreened.ACCEPT:
                self._go_on(large=large)

    def reviewed(self, *, fraud: bool, by: str, large: bool) -> None:
        """Records the decision of a review, unless the transfer waits for none."""
        if self.status is not Status.IN_REVIEW:
            return
        self.record(e.ReviewDecided(fraud=fraud, by=by))
        if fraud:
            self.record(e.ReleaseStarted(code="FRAUD", reason="a review found fraud"))
        else:
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
        match event:
            case e.TransferInitiated():
                self.status, self.terms = Status.CHECKING_ALLOWANCE, event.terms
                self.day, self.initiated_at = event.day, event.initiated_at
            case e.AllowanceTaken():
                self.status, self.took_allowance = Status.RESERVING, True
            case e.MoneyReserved():
                self.status, self.hold_id = Status.SCREENING, event.hold_id
            case e.TransferScreened():
                self.decision, self.reasons = event.decision, event.reasons
            case e.ScreeningMissed():
                self.unscreened = event.policy
            case e.ReviewAsked():
                self.status = Status.IN_REVIEW
            case e.ApprovalAsked():
                self.status = Status.AWAITING_APPROVAL
            case e.TransferApproved():
                self.approved_by = event.by
            case e.CancellationAsked():
                self.cancelling, self.reason = True, event.reason
            case e.CaptureStarted():
                self.status = Status.CAPTURING
            case e.MoneyCaptured():
                self.status = Status.CREDITING
            case e.TransferCompleted():
                self.status = Status.COMPLETED
            case e.ReviewDecided():
                pass
            case _:
                self._evolve_undo(event)

    def _evolve_undo(self, event: TransferEvent) -> None:
        match event:
            case e.ReleaseStarted():
                self.status, self.code, self.reason = Status.RELEASING, event.code, event.reason
            case e.ReturnStarted():
                self.status, self.code, self.reason = Status.RETURNING, event.code, event.reason
            case e.ParkingStarted():
                self.status, self.attempt = Status.PARKING, event.attempt
            case e.TransferStuck():
                self.status = Status.STUCK
            case e.TransferFailed():
                self.status = Status.CANCELLED if event.code == CANCELLED else Status.FAILED
                self.code, self.reason, self.parked = event.code, event.reason, event.parked
            case e.RefundAsked():
                self.refund, self.refund_reason = Refund.ASKED, event.reason
            case e.RefundStarted():
                self.refund, self.refunds = Refund.DEBITING, event.attempt
            case e.RefundTaken():
                self.refund = Refund.CREDITING
            case e.RefundParkingStarted():
                self.refund, self.attempt = Refund.PARKING, event.attempt
            case e.RefundRefused():
                self.refund, self.refund_reason = Refund.REFUSED, event.reason
            case e.RefundStuck():
                self.refund, self.refund_reason = Refund.STUCK, event.reason
            case e.RefundPaid():
                self.refund, self.refund_parked = Refund.PAID, event.parked
