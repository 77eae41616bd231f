"""Translates the domain events of Payments to integration events."""

from collections.abc import Iterator

from commerce.payments.v1 import payments_events_pb2 as events
from commerce.payments.v2 import payments_events_pb2 as events2

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
from services.commerce.payments.domain.payment import Payment, Status
from services.commerce.wire import money_to_wire

Published = (
    events.PaymentAuthorised
    | events.PaymentFailed
    | events.PaymentReceived
    | events.PaymentVoided
    | events.PaymentRefunded
    | events2.PaymentRefunded
    | events.VoidRefused
    | events.RefundRefused
)
"""The integration events of `publish`."""


def publish(payment: Payment, event: PaymentEvent) -> Iterator[Published]:
    """Policy: announces the events that other contexts may rely on."""
    amount = money_to_wire(payment.amount) if payment.amount else None
    who = payment.customer_id
    match event:
        case PaymentAuthorised():
            yield events.PaymentAuthorised(order_id=payment.id, amount=amount, customer_id=who)
        case PaymentFailed():
            yield events.PaymentFailed(order_id=payment.id, reason=event.reason, customer_id=who)
        case PaymentCaptured():
            yield events.PaymentReceived(order_id=payment.id, amount=amount, customer_id=who)
        case PaymentVoided():
            yield events.PaymentVoided(order_id=payment.id, amount=amount, customer_id=who)
        case PaymentRefunded():
            yield from _refunded(payment, event)
        case VoidRefused():
            yield events.VoidRefused(order_id=payment.id, amount=amount, reason=event.reason, customer_id=who)
        case RefundRefused():
            yield _refund_refused(payment, event)
        case PaymentRequested() | VerdictAwaited() | OrderConfirmed() | OrderCancelled():
            return
        case CaptureStarted() | VoidStarted() | RefundStarted() | ApprovedTooLate():
            return


def _refund_refused(payment: Payment, event: RefundRefused) -> events.RefundRefused:
    refund = next(one for one in payment.refunds if one.refund_id == event.refund_id)
    return events.RefundRefused(
        order_id=payment.id,
        refund_id=event.refund_id,
        amount=money_to_wire(refund.amount),
        reason=event.reason,
        customer_id=payment.customer_id,
    )


def _refunded(payment: Payment, event: PaymentRefunded) -> Iterator[events.PaymentRefunded | events2.PaymentRefunded]:
    """Yields a refund in both versions of the integration event.

    Version 1 only announces full refunds: it is sent when all the money is given back.
    """
    given, captured = payment.given_back, payment.amount
    amount = event.amount or captured
    assert given is not None
    assert captured is not None
    assert amount is not None
    yield events2.PaymentRefunded(
        order_id=payment.id,
        refund_id=event.refund_id,
        amount=money_to_wire(amount),
        refunded=money_to_wire(given),
        remaining=money_to_wire(Money(captured.minor_units - given.minor_units, captured.currency)),
        customer_id=payment.customer_id,
    )
    if payment.status is Status.REFUNDED:
        yield events.PaymentRefunded(
            order_id=payment.id, amount=money_to_wire(captured), customer_id=payment.customer_id
        )
