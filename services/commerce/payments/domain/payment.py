"""The payment of an order, through a gateway that may answer late, twice, or not at all."""

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
    RefundStarted,
    VerdictAwaited,
    VoidStarted,
)

CANCELLATION = "cancellation"
"""The refund of whatever is left when a paid order is cancelled."""


class Status(StrEnum):
    NEW = "new"
    REQUESTED = "requested"
    AUTHORISED = "authorised"
    FAILED = "failed"
    CAPTURING = "capturing"
    CAPTURED = "captured"
    VOIDING = "voiding"
    VOIDED = "voided"
    REFUNDED = "refunded"


class Kind(StrEnum):
    """What a transaction does with the money."""

    AUTHORISATION = "authorisation"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One thing that was done with the money; `refund_id` names a refund."""

    kind: Kind
    amount: Money
    refund_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money on its way back; once it is there, it is a transaction."""

    refund_id: str
    amount: Money
    done: bool = False


@dataclass(slots=True, kw_only=True)
class Payment(Aggregate[PaymentEvent]):
    """The payment of one order; its id is the order's.

    What the order wants (`confirmed`, `cancelled`) and where the money is (`status`) move apart, in any order; after
    each step `_go_on` starts whatever brings them together again.
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
    transactions: tuple[Transaction, ...] = ()
    refunds: tuple[Refund, ...] = ()

    def request(self, amount: Money, *, customer_id: str = "", token: str = "", label: str = "") -> None:
        """Asks for the money, unless the order was cancelled before we heard of it."""
        if self.status is Status.NEW and not self.cancelled:
            self.record(PaymentRequested(amount=amount, customer_id=customer_id, token=token, label=label))

    def await_verdict(self) -> None:
        """The gateway will call back; whoever cannot wait any longer gives the money up."""
        if self.status is Status.REQUESTED and not self.awaiting:
            self.record(VerdictAwaited())
            self._go_on()

    def authorised(self) -> None:
        """The gateway holds the money. If nobody waits for it any more, it is given up again."""
        if self.status is Status.REQUESTED:
            self.record(PaymentAuthorised())
            self._go_on()
        elif self.status is Status.FAILED:
            self.record(ApprovedTooLate())

    def fail(self, reason: str, *, reversal: bool) -> None:
        """The gateway declined, or did not answer in time."""
        if self.status is Status.REQUESTED:
            self.record(PaymentFailed(reason=reason, reversal=reversal))

    def confirm(self) -> None:
        """The order is confirmed: the money is ours to take."""
        if not self.confirmed:
            self.record(OrderConfirmed())
            self._go_on()

    def cancel(self) -> None:
        """The order is cancelled: the money is not ours, wherever it is now."""
        if not self.cancelled:
            self.record(OrderCancelled())
            self._go_on()

    def captured(self) -> None:
        if self.status is Status.CAPTURING:
            self.record(PaymentCaptured())
            self._go_on()

    def voided(self) -> None:
        if self.status is Status.VOIDING:
            self.record(PaymentVoided())

    def refund(self, refund_id: str, amount: Money) -> None:
        """Gives a part of the captured money back, or all that is left; told twice is not an error."""
        known = next((one for one in self.refunds if one.refund_id == refund_id), None)
        if known is not None:
            if known.amount != amount:
                raise Invalid(f"refund {refund_id} is one of {known.amount}", field="amount", reason="REFUND_DIFFERS")
            return
        left = self.left
        if left is None:
            raise Rejected(f"the money of order {self.id} was not taken", reason="NOT_CAPTURED")
        if amount.minor_units <= 0 or amount.currency != left.currency:
            raise Invalid(f"{amount} of {left} cannot be given back", field="amount")
        if amount.minor_units > left.minor_units:
            raise Rejected(f"{left} is left of order {self.id}, not {amount}", reason="REFUND_TOO_LARGE")
        self.record(RefundStarted(refund_id=refund_id, amount=amount))

    def refunded(self, refund_id: str) -> None:
        """The gateway has given it back."""
        for one in self.refunds:
            if one.refund_id == refund_id and not one.done:
                self.record(PaymentRefunded(refund_id=refund_id, amount=one.amount))

    @property
    def left(self) -> Money | None:
        """What of the captured money nobody has asked back yet; None if none was captured."""
        if self.amount is None or self.status not in (Status.CAPTURED, Status.REFUNDED):
            return None
        asked = sum(one.amount.minor_units for one in self.refunds)
        return Money(self.amount.minor_units - asked, self.amount.currency)

    @property
    def given_back(self) -> Money | None:
        """What has been given back so far."""
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
            case RefundStarted():
                self._start_refund(event)
            case PaymentRefunded():
                self._finish_refund(event)
            case ApprovedTooLate():
                pass

    def _done(self, status: Status, kind: Kind) -> None:
        assert self.amount is not None
        self.status = status
        self.transactions = (*self.transactions, Transaction(kind=kind, amount=self.amount))

    def _start_refund(self, event: RefundStarted) -> None:
        amount = event.amount or self.left
        assert amount is not None
        self.refunds = (*self.refunds, Refund(refund_id=event.refund_id, amount=amount))

    def _finish_refund(self, event: PaymentRefunded) -> None:
        done = next(one for one in self.refunds if one.refund_id == event.refund_id)
        self.refunds = tuple(replace(one, done=True) if one is done else one for one in self.refunds)
        given = Transaction(kind=Kind.REFUND, amount=done.amount, refund_id=done.refund_id)
        self.transactions = (*self.transactions, given)
        if self.given_back == self.amount:
            self.status = Status.REFUNDED
