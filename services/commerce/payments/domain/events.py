"""What happens to a payment."""

from dataclasses import dataclass

from services.commerce.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequested:
    """`token` is what the gateway knows the customer's way to pay by, `label` what people know it by."""

    amount: Money
    customer_id: str = ""
    token: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictAwaited:
    """The gateway will call back."""


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
    """Stored in version 2. Version 1 knew one refund, of everything: `amount` is None for all that was captured."""

    refund_id: str
    amount: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefunded:
    """Stored in version 2, as `RefundStarted` is."""

    refund_id: str
    amount: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedTooLate:
    """The gateway holds money that nobody waits for any more."""


PaymentEvent = (
    PaymentRequested
    | VerdictAwaited
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
    | ApprovedTooLate
)
