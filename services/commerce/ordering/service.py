"""Ordering, put together."""

from datetime import timedelta

from commerce.inventory.v1 import inventory_events_pb2 as inventory
from commerce.ordering.v1 import ordering_events_pb2 as events
from commerce.payments.v1 import payments_events_pb2 as payments
from pydantic import Field
from treaty.relations import Pattern, Relation
from treaty.service import Ports, Service
from treaty.settings import Settings
from treaty.subscriptions import on

from services.commerce.ordering import acl, sagas, storage
from services.commerce.ordering.api import api
from services.commerce.ordering.application import Ordering, follow_checkout
from services.commerce.ordering.publishing import publish


class OrderingSettings(Settings):
    """Ordering's own settings."""

    answer_seconds: float = Field(60.0, alias="ORDERING_ANSWER_SECONDS", gt=0)


def build(ports: Ports) -> Service:
    settings = ports.settings(OrderingSettings)
    orders = ports.repository(storage.ORDERS, policies=[publish, follow_checkout], commands=storage.COMMANDS)
    checkout = ports.saga(storage.CHECKOUTS, key=lambda fact: fact.order_id, commands=storage.COMMANDS)
    summaries = ports.view(storage.ORDER_SUMMARY)
    ordering = Ordering(orders, summaries, ports.clock, timedelta(seconds=settings.answer_seconds))
    return Service(
        name="commerce.ordering",
        api=api(ordering),
        publishes=[events.OrderPlaced, events.OrderConfirmed, events.OrderCancelled],
        subscriptions=[
            on(inventory.StockAllocated, acl.stock_allocated, then=checkout.tell),
            on(inventory.AllocationRefused, acl.allocation_refused, then=checkout.tell),
            on(payments.PaymentAuthorised, acl.payment_authorised, then=checkout.tell),
            on(payments.PaymentFailed, acl.payment_failed, then=checkout.tell),
        ],
        commands=storage.COMMANDS,
        calls={
            sagas.CheckoutStarted: checkout.tell,
            sagas.AnswerOverdue: checkout.tell,
            sagas.OrderEnded: checkout.tell,
            sagas.ConfirmOrder: ordering.confirm_order,
            sagas.CancelOrder: ordering.cancel_order,
        },
        projections=[storage.ORDER_SUMMARY],
        sagas=[checkout],
        relations=[
            Relation("commerce.inventory", Pattern.ANTI_CORRUPTION_LAYER, "an allocation becomes a yes or a no"),
            Relation("commerce.payments", Pattern.CUSTOMER_SUPPLIER, "a payment becomes a yes or a no"),
        ],
    )
