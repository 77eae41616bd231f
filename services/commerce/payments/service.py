"""Payments, put together."""

from commerce.ordering.v1 import ordering_events_pb2 as ordering
from commerce.payments.v1 import payments_events_pb2 as events
from pydantic import Field
from treaty.relations import Pattern, Relation
from treaty.service import Ports, Service
from treaty.settings import Settings
from treaty.subscriptions import on

from services.commerce.payments import acl, application, storage
from services.commerce.payments.api import api
from services.commerce.payments.application import Payments, ask_gateway
from services.commerce.payments.clients import gateway_at
from services.commerce.payments.publishing import publish


class PaymentsSettings(Settings):
    """Payments' own settings: where the gateway is, and for how many seconds it is waited for."""

    gateway: str = Field("simulated", alias="PAYMENTS_GATEWAY", pattern=r"^(simulated|[^:\s]+:\d{1,5})$")
    gateway_seconds: float = Field(2.0, alias="PAYMENTS_GATEWAY_SECONDS", gt=0)


def build(ports: Ports) -> Service:
    settings = ports.settings(PaymentsSettings)
    gateway = gateway_at(settings.gateway, settings.gateway_seconds)
    repository = ports.repository(storage.PAYMENTS, policies=[publish, ask_gateway], commands=storage.COMMANDS)
    payments = Payments(repository, gateway)
    return Service(
        name="commerce.payments",
        api=api(payments),
        publishes=[
            events.PaymentAuthorised,
            events.PaymentFailed,
            events.PaymentReceived,
            events.PaymentVoided,
            events.PaymentRefunded,
        ],
        subscriptions=[
            on(ordering.OrderPlaced, acl.order_placed, then=payments.request_payment),
            on(ordering.OrderConfirmed, acl.order_confirmed, then=payments.confirm_payment),
            on(ordering.OrderCancelled, acl.order_cancelled, then=payments.cancel_payment),
        ],
        commands=storage.COMMANDS,
        calls={
            application.Authorise: payments.authorise,
            application.Capture: payments.capture,
            application.Void: payments.void,
            application.Refund: payments.refund,
        },
        relations=[
            Relation("commerce.ordering", Pattern.ANTI_CORRUPTION_LAYER, "an order becomes a payment"),
            Relation("external.gateway", Pattern.ANTI_CORRUPTION_LAYER, "bars and codes become verdicts"),
        ],
        resources=[gateway],
    )
