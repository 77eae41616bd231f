"""The payment aggregate. Its gateway may answer late, twice, or not at all."""

from dataclasses import dataclass, replace
from enum import StrEnum

from treaty.domain import Aggregate, Invalid, Rejected

from services.commerce.money import Money
from services.commerce.payments.domain.events import (
    ApprovedTooLate,
    CaptureStarted,
    OrderCancelled,
    OrderConfirmed,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentEvent,
    PaymentFailed,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    RefundRefused,
    RefundStarted,
    VerdictAwaited,
    VoidRefused,
    VoidStarted,
)

CANCELLATION = "cancellation"
"""The id of the refund that is made when a paid order is cancelled. It refunds all money that is left."""

MOST_REFUNDS = 1_000
"""Refunds of a payment, with those that the gateway refused. That of a cancellation may be one more."""


class Status(StrEnum):
    NEW = "new"
    REQUESTED = "requested"
    AUTHORISED = "authorised"
    FAILED = "failed"
    CAPTURING = "capturing"
    CAPTURED = "captured"
    VOIDING = "voiding"
    VOIDED = "voided"
    VOID_REFUSED = "void-refused"
    REFUNDED = "refunded"


class Kind(StrEnum):
    """The effect of a transaction on the money."""

    AUTHORISATION = "authorisation"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A completed operation on the money. `refund_id` is set for a refund only."""

    kind: Kind
    amount: Money
    refund_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money that is being given back. Once it is given back, there is also a transaction.

    `refused` is the reason why the gateway will not make the refund. It is empty otherwise.
    """

    refund_id: str
    amount: Money
    done: bool = False
    refused: str = ""


@dataclass(slots=True, kw_only=True)
class Payment(Aggregate[PaymentEvent]):
    """The payment of one order. Its id is the order's.

    The state of the order (`confirmed`, `cancelled`) and the state of the money (`status`) change independently, in any
    sequence. After each change, `_go_on` starts the operation that brings the money in line with the order.
    """

    status: Status = Status.NEW
    amount: Money | None = None
    customer_id: str = ""
    token: str = ""
    label: str = ""
    reason: str = ""
    awaiting: bool = False
    confirmed: bool = False
    cancelled: bool = False
    approved_late: bool = False
    transactions: tuple[Transaction, ...] = ()
    refunds: tuple[Refund, ...] = ()

    def request(
        self, amount: Money, *, customer_id: str = "", token: str = "", label: str = "", expired: bool = False
    ) -> None:
        """Requests the money. Does nothing if it was requested before, or if the order was cancelled first.

        If the payment method has expired, the payment fails at once: another method is not charged in its place.
        """
        if self.status is Status.NEW and not self.cancelled:
            self.record(PaymentRequested(amount=amount, customer_id=customer_id, token=token, label=label))
            if expired:
                self.fail("the payment method has expired", reversal=False)

    def await_verdict(self) -> None:
        """Records that the gateway will call back. If the order is cancelled already, the payment fails."""
        if self.status is Status.REQUESTED and not self.awaiting:
            self.record(VerdictAwaited())
            self._go_on()

    def authorised(self) -> None:
        """Records that the gateway holds the money. If the payment has failed already, the money is released again.

        An approval that comes again changes nothing: what it holds is taken, or is being released.
        """
        if self.status is Status.REQUESTED:
            self.record(PaymentAuthorised())
            self._go_on()
        elif self.status is Status.FAILED and not self.approved:
            self.record(ApprovedTooLate())

    def fail(self, reason: str, *, reversal: bool) -> None:
        """Records that the gateway declined, or did not answer in time."""
        if self.status is Status.REQUESTED:
            self.record(PaymentFailed(reason=reason, reversal=reversal))

    def confirm(self) -> None:
        """Records that the order is confirmed, so the money may be taken."""
        if not self.confirmed:
            self.record(OrderConfirmed())
            self._go_on()

    def cancel(self) -> None:
        """Records that the order is cancelled, so the money must not be taken, or must be given back."""
        if not self.cancelled:
            self.record(OrderCancelled())
            self._go_on()

    def captured(self) -> None:
        if self.status is Status.CAPTURING:
            self.record(PaymentCaptured())
            self._go_on()

    def capture_refused(self, why: str) -> None:
        """Records that the gateway will not capture the money. The payment fails, and what is held is released."""
        if self.status is Status.CAPTURING:
            self.record(PaymentFailed(reason=f"the money could not be taken: {why}", reversal=True))

    def voided(self) -> None:
        """Records that the gateway has released the money, maybe after it had refused to before."""
        if self.status in (Status.VOIDING, Status.VOID_REFUSED):
            self.record(PaymentVoided())

    def void_refused(self, why: str) -> None:
        """Records that the gateway will not release the money. Does nothing if it never said that it holds any."""
        if self.status is Status.VOIDING or (self.status is Status.FAILED and self.approved):
            self.record(VoidRefused(reason=why))

    def refund(self, refund_id: str, amount: Money) -> None:
        """Starts a refund of a part of the captured money, or of all that is left.

        Does nothing if it is started. A refund that the gateway refused is started once more, with the same amount: to
        the gateway it is the same request.
        """
        known = next((one for one in self.refunds if one.refund_id == refund_id), None)
        if known is not None and known.amount != amount:
            raise Invalid(
                f"refund {refund_id} is started with {known.amount} already", field="amount", reason="REFUND_DIFFERS"
            )
        if known is not None and not known.refused:
            return
        if known is None and len(self.refunds) >= MOST_REFUNDS:
            raise Rejected(
                f"{MOST_REFUNDS} refunds of order {self.id} were asked for, which is the limit",
                reason="TOO_MANY_REFUNDS",
            )
        left = self.left
        if left is None:
            raise Rejected(f"the money of order {self.id} is not captured", reason="NOT_CAPTURED")
        if amount.minor_units <= 0 or amount.currency != left.currency:
            raise Invalid(f"a refund of {left} must be positive and in its currency, not {amount}", field="amount")
        if amount.minor_units > left.minor_units:
            raise Rejected(f"only {left} of order {self.id} can be refunded, not {amount}", reason="REFUND_TOO_LARGE")
        self.record(RefundStarted(refund_id=refund_id, amount=amount))

    def refunded(self, refund_id: str) -> None:
        """Records that the gateway has made a refund."""
        for one in self.refunds:
            if one.refund_id == refund_id and not one.done and not one.refused:
                self.record(PaymentRefunded(refund_id=refund_id, amount=one.amount))

    def refund_refused(self, refund_id: str, why: str) -> None:
        """Records that the gateway will not make a refund."""
        for one in self.refunds:
            if one.refund_id == refund_id and not one.done and not one.refused:
                self.record(RefundRefused(refund_id=refund_id, reason=why))

    @property
    def approved(self) -> bool:
        """Whether the gateway has said that it holds the money, in time or too late."""
        return self.approved_late or bool(self.transactions)

    @property
    def left(self) -> Money | None:
        """The captured money that is in no refund yet; None if no money was captured."""
        if self.amount is None or self.status not in (Status.CAPTURED, Status.REFUNDED):
            return None
        asked = sum(one.amount.minor_units for one in self.refunds if not one.refused)
        return Money(self.amount.minor_units - asked, self.amount.currency)

    @property
    def given_back(self) -> Money | None:
        """The sum of the completed refunds; None before the payment is requested."""
        if self.amount is None:
            return None
        return Money(sum(one.amount.minor_units for one in self.refunds if one.done), self.amount.currency)

    def _go_on(self) -> None:
        if self.cancelled and self.awaiting and self.status is Status.REQUESTED:
            self.record(PaymentFailed(reason="the order was cancelled", reversal=True))
        elif self.cancelled and self.status is Status.AUTHORISED:
            self.record(VoidStarted())
        elif self.cancelled and self.left is not None and self.left.minor_units:
            self.record(RefundStarted(refund_id=CANCELLATION, amount=self.left))
        elif self.confirmed and self.status is Status.AUTHORISED:
            self.record(CaptureStarted())

    def evolve(self, event: PaymentEvent) -> None:
        match event:
            case PaymentRequested():
                self.status, self.amount = Status.REQUESTED, event.amount
                self.customer_id, self.token, self.label = event.customer_id, event.token, event.label
            case VerdictAwaited():
                self.awaiting = True
            case PaymentAuthorised():
                self._done(Status.AUTHORISED, Kind.AUTHORISATION)
            case PaymentFailed():
                self.status, self.reason = Status.FAILED, event.reason
            case OrderConfirmed():
                self.confirmed = True
            case OrderCancelled():
                self.cancelled = True
            case CaptureStarted():
                self.status = Status.CAPTURING
            case PaymentCaptured():
                self._done(Status.CAPTURED, Kind.CAPTURE)
            case VoidStarted():
                self.status = Status.VOIDING
            case PaymentVoided():
                self._done(Status.VOIDED, Kind.VOID)
            case VoidRefused():
                self.status, self.reason = Status.VOID_REFUSED, event.reason
            case RefundStarted():
                self._start_refund(event)
            case RefundRefused():
                self.refunds = tuple(
                    replace(one, refused=event.reason) if one.refund_id == event.refund_id else one
                    for one in self.refunds
                )
            case PaymentRefunded():
                self._finish_refund(event)
            case ApprovedTooLate():
                self.approved_late = True

    def _done(self, status: Status, kind: Kind) -> None:
        assert self.amount is not None
        self.status = status
        self.transactions = (*self.transactions, Transaction(kind=kind, amount=self.amount))

    def _start_refund(self, event: RefundStarted) -> None:
        amount = event.amount or self.left
        assert amount is not None
        others = (one for one in self.refunds if one.refund_id != event.refund_id)
        self.refunds = (*others, Refund(refund_id=event.refund_id, amount=amount))

    def _finish_refund(self, event: PaymentRefunded) -> None:
        done = next(one for one in self.refunds if one.refund_id == event.refund_id)
        self.refunds = tuple(replace(one, done=True) if one is done else one for one in self.refunds)
        given = Transaction(kind=Kind.REFUND, amount=done.amount, refund_id=done.refund_id)
        self.transactions = (*self.transactions, given)
        if self.given_back == self.amount:
            self.status = Status.REFUNDED
