"""The stored names of Payments' aggregates, events and calls.

A name here never changes. If the fields of an event or call change, its shape gets an upcast.
"""

from collections.abc import Mapping
from typing import Any

from treaty.commits import Names, Shape, Stored

from services.commerce.payments import application
from services.commerce.payments.domain import events
from services.commerce.payments.domain.method import PaymentMethod
from services.commerce.payments.domain.payment import CANCELLATION, Payment


def whole_refund(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Upcast: a refund of version 1 was always that of a cancellation, and of all the captured money."""
    return {**document, "refund_id": CANCELLATION, "amount": None}


def named_refund(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Upcast: the call of version 1 did not name its refund, which was always that of a cancellation.

    The version was raised because code for version 1 would refund all the money.
    """
    return {**document, "refund_id": CANCELLATION}


PAYMENTS = Stored(
    "payment",
    Payment,
    events=[
        Shape("payment-requested", events.PaymentRequested),
        Shape("payment-authorised", events.PaymentAuthorised),
        Shape("payment-failed", events.PaymentFailed),
        Shape("order-confirmed", events.OrderConfirmed),
        Shape("order-cancelled", events.OrderCancelled),
        Shape("capture-started", events.CaptureStarted),
        Shape("payment-captured", events.PaymentCaptured),
        Shape("void-started", events.VoidStarted),
        Shape("payment-voided", events.PaymentVoided),
        Shape("refund-started", events.RefundStarted, upcasts=(whole_refund,)),
        Shape("payment-refunded", events.PaymentRefunded, upcasts=(whole_refund,)),
        Shape("verdict-awaited", events.VerdictAwaited),
        Shape("approved-too-late", events.ApprovedTooLate),
        Shape("void-refused", events.VoidRefused),
        Shape("refund-refused", events.RefundRefused),
    ],
)

METHODS = Stored(
    "method",
    PaymentMethod,
    events=[Shape("method-registered", events.MethodRegistered), Shape("method-forgotten", events.MethodForgotten)],
)

COMMANDS = Names(
    [
        Shape("authorise", application.Authorise),
        Shape("capture", application.Capture),
        Shape("void", application.Void),
        Shape("refund", application.Refund, upcasts=(named_refund,)),
    ]
)
