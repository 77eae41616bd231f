"""The domain events of Payments: of payments and payment methods."""

from dataclasses import dataclass
from datetime import datetime

from services.commerce.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequested:
    """`token` is the gateway's name for the customer's payment method; `label` is its name for people."""

    amount: Money
    customer_id: str = ""
    token: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictAwaited:
    """The gateway has not decided yet. It will send its verdict by a callback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAuthorised:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed:
    """`reversal` is true if the gateway may hold money nevertheless, and must release it."""

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
class VoidRefused:
    """The gateway will not release the money. A person must see to it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRefused:
    """The gateway will not make the refund. Its money is left, so it can be refunded once more."""

    refund_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundStarted:
    """Stored in version 2. Version 1 had one refund, of all the captured money: its `amount` is None."""

    refund_id: str
    amount: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefunded:
    """Stored in version 2, as `RefundStarted` is."""

    refund_id: str
    amount: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedTooLate:
    """The gateway holds the money of a payment that has failed already."""


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
    | VoidRefused
    | RefundStarted
    | PaymentRefunded
    | RefundRefused
    | ApprovedTooLate
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRegistered:
    token: str
    label: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodForgotten:
    """The customer was forgotten."""


MethodEvent = MethodRegistered | MethodForgotten
