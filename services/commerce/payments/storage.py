"""How Payments' aggregates and calls are named on disk. A name here never changes; a shape gets an upcast."""

from treaty.codec import Names, Shape
from treaty.stored import Stored

from services.commerce.payments import application, domain

PAYMENTS = Stored(
    "payment",
    domain.Payment,
    events=[
        Shape("payment-requested", domain.PaymentRequested),
        Shape("payment-authorised", domain.PaymentAuthorised),
        Shape("payment-failed", domain.PaymentFailed),
        Shape("order-confirmed", domain.OrderConfirmed),
        Shape("order-cancelled", domain.OrderCancelled),
        Shape("capture-started", domain.CaptureStarted),
        Shape("payment-captured", domain.PaymentCaptured),
        Shape("void-started", domain.VoidStarted),
        Shape("payment-voided", domain.PaymentVoided),
        Shape("refund-started", domain.RefundStarted),
        Shape("payment-refunded", domain.PaymentRefunded),
    ],
)

COMMANDS = Names(
    [
        Shape("authorise", application.Authorise),
        Shape("capture", application.Capture),
        Shape("void", application.Void),
        Shape("refund", application.Refund),
    ]
)
