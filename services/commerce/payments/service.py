"""Builds the Payments service from its parts."""

from commerce.customers.v1 import customers_events_pb2 as customers
from commerce.ordering.v1 import ordering_events_pb2 as ordering
from commerce.payments.v1 import payments_events_pb2 as events
from commerce.payments.v1 import payments_service_pb2_grpc as pb_grpc
from commerce.payments.v2 import payments_events_pb2 as events_v2
from pydantic import Field, SecretStr
from treaty.messaging import on
from treaty.rpc import Api
from treaty.service import Pattern, Ports, Relation, Service
from treaty.settings import DEVELOPMENT_SECRET, Settings
from treaty.web import webhook

from services.commerce.payments import acl, application, storage
from services.commerce.payments.api import PaymentsApi
from services.commerce.payments.application import Payments, ask_gateway
from services.commerce.payments.external.gateway.client import gateway_at
from services.commerce.payments.external.gateway.messages import verdict_from
from services.commerce.payments.publishing import publish


class PaymentsSettings(Settings):
    """The settings of Payments.

    Attributes:
        gateway: the gateway as `host:port`, or "simulated".
        gateway_seconds: seconds to wait for an answer of the gateway.
        webhook_secret: the secret that the gateway signs callbacks with.
        webhook_secret_before: the secret before it, which is accepted too.
    """

    gateway: str = Field("simulated", alias="PAYMENTS_GATEWAY", pattern=r"^(simulated|[^:\s]+:\d{1,5})$")
    gateway_seconds: float = Field(2.0, alias="PAYMENTS_GATEWAY_SECONDS", gt=0)
    webhook_secret: SecretStr = Field(SecretStr(DEVELOPMENT_SECRET), alias="PAYMENTS_WEBHOOK_SECRET", min_length=1)
    webhook_secret_before: SecretStr = Field(SecretStr(""), alias="PAYMENTS_WEBHOOK_SECRET_BEFORE")


def build(ports: Ports) -> Service:
    settings = ports.settings(PaymentsSettings)
    gateway = gateway_at(settings.gateway, settings.gateway_seconds)
    payments = Payments(
        payments=ports.repository(storage.PAYMENTS, policies=[publish, ask_gateway], commands=storage.COMMANDS),
        methods=ports.repository(storage.METHODS),
        gateway=gateway,
        clock=ports.clock,
    )
    verdicts = webhook(
        "/webhooks/gateway",
        verdict_from,
        then=payments.note_verdict,
        secret=settings.webhook_secret.get_secret_value(),
        secret_before=settings.webhook_secret_before.get_secret_value(),
    )
    gateway.call_back(verdicts)
    return Service(
        name="commerce.payments",
        api=Api(pb_grpc.add_PaymentsServiceServicer_to_server, PaymentsApi(payments)),
        publishes=[
            events.PaymentAuthorised,
            events.PaymentFailed,
            events.PaymentReceived,
            events.PaymentVoided,
            events.PaymentRefunded,
            events_v2.PaymentRefunded,
            events.VoidRefused,
            events.RefundRefused,
        ],
        subscriptions=[
            on(ordering.OrderPlaced, acl.order_placed, then=payments.request_payment),
            on(ordering.OrderConfirmed, acl.order_confirmed, then=payments.confirm_payment),
            on(ordering.OrderCancelled, acl.order_cancelled, then=payments.cancel_payment),
            on(customers.CustomerForgotten, acl.customer_forgotten, then=payments.forget_method),
        ],
        commands=storage.COMMANDS,
        calls={
            application.Authorise: payments.authorise,
            application.Capture: payments.capture,
            application.Void: payments.void,
            application.Refund: payments.refund,
        },
        webhooks=[verdicts],
        relations=[
            Relation("commerce.ordering", Pattern.ANTI_CORRUPTION_LAYER, "an order becomes a payment"),
            Relation("commerce.customers", Pattern.PUBLISHED_LANGUAGE, "who is forgotten has no payment method"),
            Relation("external.gateway", Pattern.ANTI_CORRUPTION_LAYER, "response codes become verdicts"),
        ],
        resources=[gateway],
    )
