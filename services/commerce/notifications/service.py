"""Builds the Notifications service from its parts."""

from commerce.catalog.v1 import catalog_events_pb2 as catalog
from commerce.customers.v1 import customers_events_pb2 as customers
from commerce.inventory.v1 import inventory_events_pb2 as inventory
from commerce.notifications.v1 import notifications_service_pb2_grpc as pb_grpc
from commerce.ordering.v1 import ordering_events_pb2 as ordering
from commerce.payments.v1 import payments_events_pb2 as payments
from commerce.payments.v2 import payments_events_pb2 as payments_v2
from commerce.shipping.v1 import shipping_events_pb2 as shipping
from pydantic import Field, SecretStr
from treaty.messaging import on
from treaty.rpc import Api
from treaty.service import Pattern, Ports, Relation, Service
from treaty.settings import DEVELOPMENT_SECRET, Settings
from treaty.web import ForeignUrls

from services.commerce.notifications import acl, storage
from services.commerce.notifications.api import NotificationsApi
from services.commerce.notifications.application.notifications import Notifications, Send, deliver
from services.commerce.notifications.application.subscriptions import EraseAddresses, Subscriptions, erase_again
from services.commerce.notifications.domain.values import Channel
from services.commerce.notifications.external.receivers.client import Secrets, Webhooks
from services.commerce.notifications.external.sms.client import sms_at
from services.commerce.notifications.external.smtp.client import mail_at


class NotificationsSettings(Settings):
    """The settings of Notifications.

    Attributes:
        smtp: the mail server as `host:port`, or "simulated".
        sender: the address that mails come from.
        sms: the address of the SMS gateway, or "simulated".
        key: the key from which the secrets of subscribers' webhooks are derived.
        key_before: the key before it; messages are signed with its secrets too.
        secret: a secret that all webhooks have in common, from before each had its own.
        private: whether webhooks may be in private networks.
        plain: whether webhooks may be called over http.
        staff_email: the e-mail address of the staff; empty for nobody.
        seconds: how long to wait for a receiver.
    """

    smtp: str = Field("simulated", alias="NOTIFICATIONS_SMTP", pattern=r"^(simulated|[^:\s]+:\d{1,5})$")
    sender: str = Field("shop@example.com", alias="NOTIFICATIONS_FROM", pattern=r"^[^@\s<>]+@[^@\s<>]+$")
    sms: str = Field("simulated", alias="NOTIFICATIONS_SMS", pattern=r"^(simulated|https?://\S+)$")
    key: SecretStr = Field(SecretStr(DEVELOPMENT_SECRET), alias="NOTIFICATIONS_WEBHOOK_KEY", min_length=1)
    key_before: SecretStr = Field(SecretStr(""), alias="NOTIFICATIONS_WEBHOOK_KEY_BEFORE")
    secret: SecretStr = Field(SecretStr(""), alias="NOTIFICATIONS_WEBHOOK_SECRET")
    private: bool = Field(False, alias="NOTIFICATIONS_WEBHOOK_PRIVATE")
    plain: bool = Field(False, alias="NOTIFICATIONS_WEBHOOK_HTTP")
    staff_email: str = Field("", alias="NOTIFICATIONS_STAFF_EMAIL", pattern=r"^([^@\s<>]+@[^@\s<>]+)?$")
    seconds: float = Field(5.0, alias="NOTIFICATIONS_SECONDS", gt=0)


def build(ports: Ports) -> Service:
    settings = ports.settings(NotificationsSettings)
    mail = mail_at(settings.smtp, sender=settings.sender, patience=settings.seconds, clock=ports.clock)
    sms = sms_at(settings.sms, patience=settings.seconds)
    secrets = Secrets(*(key.get_secret_value() for key in (settings.key, settings.key_before, settings.secret)))
    urls = ForeignUrls(private=settings.private, plain=settings.plain)
    webhooks = Webhooks(secrets, urls, patience=settings.seconds, clock=ports.clock)
    subscriptions = Subscriptions(
        subscriptions=ports.repository(storage.SUBSCRIPTIONS, policies=[erase_again], commands=storage.COMMANDS),
        personal_data=ports.personal_data,
        signatures=webhooks,
    )
    notifications = Notifications(
        subscriptions=subscriptions,
        notifications=ports.repository(storage.NOTIFICATIONS, policies=[deliver], commands=storage.COMMANDS),
        notification_rows=ports.view(storage.NOTIFICATION_SUMMARY),
        personal_data=ports.personal_data,
        outlets={Channel.EMAIL: mail, Channel.SMS: sms, Channel.WEBHOOK: webhooks},
        clock=ports.clock,
        staff_email=settings.staff_email,
    )
    return Service(
        name="commerce.notifications",
        api=Api(pb_grpc.add_NotificationsServiceServicer_to_server, NotificationsApi(subscriptions, notifications)),
        subscriptions=[
            on(customers.CustomerRegistered, acl.customer_registered, then=notifications.notify),
            on(customers.CustomerTierChanged, acl.customer_tier_changed, then=notifications.notify),
            on(customers.CustomerForgotten, acl.customer_forgotten, then=subscriptions.forget_customer),
            on(ordering.OrderPlaced, acl.order_placed, then=notifications.notify),
            on(ordering.OrderConfirmed, acl.order_confirmed, then=notifications.notify),
            on(ordering.OrderCancelled, acl.order_cancelled, then=notifications.notify),
            on(ordering.OrderCancellationRefused, acl.order_cancellation_refused, then=notifications.notify),
            on(ordering.OrderReturnClosed, acl.order_return_closed, then=notifications.notify),
            on(ordering.OrderCompleted, acl.order_completed, then=notifications.notify),
            on(ordering.OrderReturned, acl.order_returned, then=notifications.notify),
            on(payments.PaymentFailed, acl.payment_failed, then=notifications.notify),
            on(payments_v2.PaymentRefunded, acl.payment_refunded, then=notifications.notify),
            on(payments.VoidRefused, acl.void_refused, then=notifications.notify_staff),
            on(payments.RefundRefused, acl.refund_refused, then=notifications.notify_staff),
            on(shipping.ShipmentDispatched, acl.shipment_dispatched, then=notifications.notify),
            on(shipping.ParcelDelayed, acl.parcel_delayed, then=notifications.notify),
            on(shipping.DeliveryConfirmed, acl.delivery_confirmed, then=notifications.notify),
            on(shipping.DeliveryFailed, acl.delivery_failed, then=notifications.notify),
            on(inventory.ReorderNeeded, acl.reorder_needed, then=notifications.notify_staff),
            on(catalog.ProductDiscontinued, acl.product_discontinued, then=notifications.notify_staff),
        ],
        commands=storage.COMMANDS,
        calls={
            Send: notifications.send,
            EraseAddresses: subscriptions.erase_addresses,
        },
        projections=[storage.NOTIFICATION_SUMMARY],
        relations=[
            Relation("commerce.customers", Pattern.CONFORMIST, "messages use the tier names of Customers"),
            Relation("commerce.ordering", Pattern.PUBLISHED_LANGUAGE, "events of orders become messages"),
            Relation("commerce.payments", Pattern.PUBLISHED_LANGUAGE, "events of payments become messages"),
            Relation("commerce.shipping", Pattern.PUBLISHED_LANGUAGE, "events of shipments become messages"),
            Relation("commerce.inventory", Pattern.PUBLISHED_LANGUAGE, "staff are notified of low stock"),
            Relation("commerce.catalog", Pattern.PUBLISHED_LANGUAGE, "staff are notified of discontinued products"),
            Relation("external.smtp", Pattern.CONFORMIST, "mail follows the SMTP standards"),
            Relation("external.sms", Pattern.ANTI_CORRUPTION_LAYER, "the gateway's format stays in its client"),
        ],
        resources=[mail, sms, webhooks],
    )
