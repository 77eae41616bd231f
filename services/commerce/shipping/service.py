"""Builds the Shipping service from its parts."""

from commerce.inventory.v1 import inventory_events_pb2 as inventory
from commerce.ordering.v1 import ordering_events_pb2 as ordering
from commerce.payments.v1 import payments_events_pb2 as payments
from commerce.shipping.v1 import shipping_events_pb2 as events
from commerce.shipping.v1 import shipping_service_pb2_grpc as pb_grpc
from pydantic import Field, SecretStr
from treaty.messaging import on
from treaty.rpc import Api
from treaty.service import Pattern, Ports, Relation, Service
from treaty.settings import DEVELOPMENT_SECRET, Settings
from treaty.web import webhook

from services.commerce.shipping import acl, application, storage
from services.commerce.shipping.api import ShippingApi
from services.commerce.shipping.application import Shipping, ask_carrier
from services.commerce.shipping.clients import OrderingDeliveries
from services.commerce.shipping.external.carrier.client import carrier_at
from services.commerce.shipping.external.carrier.messages import report_from
from services.commerce.shipping.publishing import publish


class ShippingSettings(Settings):
    """The settings of Shipping.

    Attributes:
        carrier: the address of the carrier, or "simulated".
        carrier_secret: the secret that the carrier signs reports with.
        carrier_secret_before: the secret before it, which is accepted too.
        carrier_seconds: seconds to wait for an answer of the carrier.
        carrier_pace: seconds between two reports of a simulated carrier.
    """

    carrier: str = Field("simulated", alias="SHIPPING_CARRIER", pattern=r"^(simulated|https?://\S+)$")
    carrier_secret: SecretStr = Field(SecretStr(DEVELOPMENT_SECRET), alias="SHIPPING_CARRIER_SECRET", min_length=1)
    carrier_secret_before: SecretStr = Field(SecretStr(""), alias="SHIPPING_CARRIER_SECRET_BEFORE")
    carrier_seconds: float = Field(2.0, alias="SHIPPING_CARRIER_SECONDS", gt=0)
    carrier_pace: float = Field(0.05, alias="SHIPPING_CARRIER_PACE", ge=0)


def build(ports: Ports) -> Service:
    settings = ports.settings(ShippingSettings)
    peer = ports.peer("commerce.ordering")
    carrier = carrier_at(settings.carrier, settings.carrier_seconds, settings.carrier_pace, ports.clock)
    shipping = Shipping(
        shipments=ports.repository(storage.SHIPMENTS, policies=[publish, ask_carrier], commands=storage.COMMANDS),
        shipment_rows=ports.view(storage.SHIPMENT_SUMMARY),
        deliveries=OrderingDeliveries(peer),
        carrier=carrier,
        clock=ports.clock,
    )
    reports = webhook(
        "/webhooks/carrier",
        report_from,
        then=shipping.track_parcel,
        secret=settings.carrier_secret.get_secret_value(),
        secret_before=settings.carrier_secret_before.get_secret_value(),
    )
    carrier.report_to(reports)
    return Service(
        name="commerce.shipping",
        api=Api(pb_grpc.add_ShippingServiceServicer_to_server, ShippingApi(shipping)),
        publishes=[
            events.ShipmentCreated,
            events.ShipmentDispatched,
            events.ShipmentCancelled,
            events.ParcelDelayed,
            events.DeliveryConfirmed,
            events.DeliveryFailed,
        ],
        subscriptions=[
            on(ordering.OrderConfirmed, acl.order_confirmed, then=shipping.note_confirmation),
            on(ordering.OrderCancelled, acl.order_cancelled, then=shipping.note_cancellation),
            on(payments.PaymentReceived, acl.payment_received, then=shipping.note_payment),
            on(inventory.StockAllocated, acl.stock_allocated, then=shipping.note_allocation),
        ],
        commands=storage.COMMANDS,
        calls={
            application.BookCarrier: shipping.book_carrier,
            application.CancelBooking: shipping.cancel_booking,
        },
        projections=[storage.SHIPMENT_SUMMARY],
        peers=[peer],
        webhooks=[reports],
        relations=[
            Relation("commerce.ordering", Pattern.ANTI_CORRUPTION_LAYER, "its orders are our shipments"),
            Relation("commerce.payments", Pattern.ANTI_CORRUPTION_LAYER, "a parcel leaves only after its payment"),
            Relation("commerce.inventory", Pattern.ANTI_CORRUPTION_LAYER, "it supplies what we ship"),
            Relation("external.carrier", Pattern.ANTI_CORRUPTION_LAYER, "its tracking statuses are translated to ours"),
        ],
        resources=[carrier],
    )
