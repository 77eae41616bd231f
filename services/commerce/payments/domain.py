"""The payment of an order, through a gateway that may answer late, twice, or not at all."""

from dataclasses import dataclass
from enum import StrEnum

from treaty.domain import Aggregate

from services.commerce.money import Money


class Status(StrEnum):
    NEW = "new"
    REQUESTED = "requested"
    AUTHORISED = "authorised"
    FAILED = "failed"
    CAPTURING = "capturing"
    CAPTURED = "captured"
    VOIDING = "voiding"
    VOIDED = "voided"
    REFUNDING = "refunding"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequested:
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAuthorised:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed:
    """`reversal` says that the gateway may hold money all the same, and has to be told to give it up."""

    reason: str
    reversal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfirmed:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureStarted:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCaptured:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidStarted:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentVoided:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundStarted:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefunded:
    pass


PaymentEvent = (
    PaymentRequested
    | PaymentAuthorised
    | PaymentFailed
    | OrderConfirmed
    | OrderCancelled
    | CaptureStarted
    | PaymentCaptured
    | VoidStarted
    | PaymentVoided
    | RefundStarted
    | PaymentRefunded
)


@dataclass(slots=True, kw_only=True)
class Payment(Aggregate[PaymentEvent]):
    """The payment of one order; its id is the order's.

    What the order wants (`confirmed`, `cancelled`) and where the money is (`status`) move apart, in any order; after
    each step `_go_on` starts whatever brings them together again.
    """

    status: Status = Status.NEW
    amount: Money | None = None
    reason: str = ""
    confirmed: bool = False
    cancelled: bool = False

    def request(self, amount: Money) -> None:
        """Asks for the money, unless the order was cancelled before we heard of it."""
        if self.status is Status.NEW and not self.cancelled:
            self.record(PaymentRequested(amount=amount))

    def authorised(self) -> None:
        """The gateway holds the money. An answer after the end of waiting is settled by the reversal."""
        if self.status is Status.REQUESTED:
            self.record(PaymentAuthorised())
            self._go_on()

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

    def refunded(self) -> None:
        if self.status is Status.REFUNDING:
            self.record(PaymentRefunded())

    def _go_on(self) -> None:
        if self.cancelled and self.status is Status.AUTHORISED:
            self.record(VoidStarted())
        elif self.cancelled and self.status is Status.CAPTURED:
            self.record(RefundStarted())
        elif self.confirmed and self.status is Status.AUTHORISED:
            self.record(CaptureStarted())

    def evolve(self, event: PaymentEvent) -> None:
        match event:
            case PaymentRequested():
                self.status, self.amount = Status.REQUESTED, event.amount
            case PaymentAuthorised():
                self.status = Status.AUTHORISED
            case PaymentFailed():
                self.status, self.reason = Status.FAILED, event.reason
            case OrderConfirmed():
                self.confirmed = True
            case OrderCancelled():
                self.cancelled = True
            case CaptureStarted():
                self.status = Status.CAPTURING
            case PaymentCaptured():
                self.status = Status.CAPTURED
            case VoidStarted():
                self.status = Status.VOIDING
            case PaymentVoided():
                self.status = Status.VOIDED
            case RefundStarted():
                self.status = Status.REFUNDING
            case PaymentRefunded():
                self.status = Status.REFUNDED
