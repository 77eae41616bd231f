"""Payments' domain events as integration events."""

from collections.abc import Iterator

from commerce.payments.v1 import payments_events_pb2 as events
from treaty.effects import Message

from services.commerce.payments.domain import (
    CaptureStarted,
    OrderCancelled,
    OrderConfirmed,
    Payment,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentEvent,
    PaymentFailed,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    RefundStarted,
    VoidStarted,
)
from services.commerce.wire import money_to_wire


def publish(payment: Payment, event: PaymentEvent) -> Iterator[Message]:
    """Policy: announces what others may rely on."""
    assert payment.amount is not None or isinstance(event, OrderConfirmed | OrderCancelled)
    amount = money_to_wire(payment.amount) if payment.amount else None
    match event:
        case PaymentAuthorised():
            yield events.PaymentAuthorised(order_id=payment.id, amount=amount)
        case PaymentFailed():
            yield events.PaymentFailed(order_id=payment.id, reason=event.reason)
        case PaymentCaptured():
            yield events.PaymentReceived(order_id=payment.id, amount=amount)
        case PaymentVoided():
            yield events.PaymentVoided(order_id=payment.id, amount=amount)
        case PaymentRefunded():
            yield events.PaymentRefunded(order_id=payment.id, amount=amount)
        case PaymentRequested() | OrderConfirmed() | OrderCancelled():
            return
        case CaptureStarted() | VoidStarted() | RefundStarted():
            return
