"""What Notifications says of each thing that happens, and to whom."""

import pytest
from commerce.catalog.v1 import catalog_events_pb2 as catalog
from commerce.customers.v1 import customers_events_pb2 as customers
from commerce.inventory.v1 import inventory_events_pb2 as inventory
from commerce.money.v1.money_pb2 import Money
from commerce.ordering.v1 import ordering_events_pb2 as ordering
from commerce.payments.v1 import payments_events_pb2 as payments
from commerce.payments.v2 import payments_events_pb2 as payments_v2
from commerce.shipping.v1 import shipping_events_pb2 as shipping

from services.commerce.notifications import acl
from services.commerce.notifications.application.notifications import Notify, NotifyStaff
from services.commerce.notifications.domain.values import Topic

POUNDS = Money(minor_units=1250, currency="GBP")


@pytest.mark.parametrize(
    ("command", "topic", "words"),
    [
        (acl.customer_registered(customers.CustomerRegistered(customer_id="ann")), Topic.ACCOUNT, []),
        (
            acl.customer_tier_changed(
                customers.CustomerTierChanged(
                    customer_id="ann", previous_tier=customers.TIER_STANDARD, new_tier=customers.TIER_GOLD
                )
            ),
            Topic.ACCOUNT,
            ["standard", "gold"],
        ),
        (
            acl.order_placed(ordering.OrderPlaced(order_id="o", customer_id="ann", total=POUNDS)),
            Topic.ORDERS,
            ["o", "12.50 GBP"],
        ),
        (
            acl.order_confirmed(ordering.OrderConfirmed(order_id="o", customer_id="ann", total=POUNDS)),
            Topic.ORDERS,
            ["o", "12.50 GBP"],
        ),
        (acl.order_cancelled(ordering.OrderCancelled(order_id="o", customer_id="ann")), Topic.ORDERS, ["o"]),
        (
            acl.order_completed(ordering.OrderCompleted(order_id="o", customer_id="ann", total=POUNDS)),
            Topic.ORDERS,
            ["o", "12.50 GBP"],
        ),
        (
            acl.order_returned(
                ordering.OrderReturned(order_id="o", customer_id="ann", return_id="back", refund=POUNDS)
            ),
            Topic.ORDERS,
            ["o", "back", "12.50 GBP"],
        ),
        (
            acl.order_cancellation_refused(ordering.OrderCancellationRefused(order_id="o", customer_id="ann")),
            Topic.ORDERS,
            ["o", "could not be cancelled"],
        ),
        (
            acl.order_return_closed(
                ordering.OrderReturnClosed(order_id="o", customer_id="ann", return_id="back", reason="too late")
            ),
            Topic.ORDERS,
            ["o", "back", "too late"],
        ),
        (
            acl.parcel_delayed(
                shipping.ParcelDelayed(order_id="o", customer_id="ann", carrier="Parcels", tracking_number="T1")
            ),
            Topic.DELIVERIES,
            ["o", "delayed", "Parcels", "T1"],
        ),
        (acl.payment_failed(payments.PaymentFailed(order_id="o", customer_id="ann")), Topic.PAYMENTS, ["o"]),
        (
            acl.payment_refunded(
                payments_v2.PaymentRefunded(
                    order_id="o", customer_id="ann", amount=POUNDS, refunded=Money(minor_units=2000, currency="GBP")
                )
            ),
            Topic.PAYMENTS,
            ["o", "12.50 GBP", "20.00 GBP"],
        ),
        (
            acl.shipment_dispatched(
                shipping.ShipmentDispatched(order_id="o", customer_id="ann", carrier="parcelnet", tracking_number="PN1")
            ),
            Topic.DELIVERIES,
            ["o", "parcelnet", "PN1"],
        ),
        (acl.delivery_confirmed(shipping.DeliveryConfirmed(order_id="o", customer_id="ann")), Topic.DELIVERIES, ["o"]),
        (acl.delivery_failed(shipping.DeliveryFailed(order_id="o", customer_id="ann")), Topic.DELIVERIES, ["o"]),
    ],
)
def test_customers_are_told_what_happens_to_what_is_theirs(command: Notify, topic: Topic, words: list[str]) -> None:
    assert (command.customer_id, command.text.topic) == ("ann", topic)
    assert all(word in command.text.body for word in words)
    assert command.text.subject
    assert "\n" not in command.text.subject


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            acl.reorder_needed(inventory.ReorderNeeded(warehouse="main", sku="tea", available=3, reorder_quantity=50)),
            ["main", "tea", "3", "50"],
        ),
        (
            acl.void_refused(payments.VoidRefused(order_id="o", amount=POUNDS, reason="no such hold")),
            ["o", "12.50 GBP", "no such hold"],
        ),
        (
            acl.refund_refused(payments.RefundRefused(order_id="o", refund_id="r-1", amount=POUNDS, reason="closed")),
            ["o", "r-1", "12.50 GBP", "closed"],
        ),
        (acl.product_discontinued(catalog.ProductDiscontinued(sku="tea")), ["tea"]),
    ],
)
def test_the_staff_is_told_what_is_theirs(command: NotifyStaff, words: list[str]) -> None:
    assert all(word in command.text.body for word in words)


def test_a_tier_that_is_newer_than_this_code_has_a_name_all_the_same() -> None:
    event = customers.CustomerTierChanged(customer_id="ann", previous_tier=customers.TIER_VIP, new_tier=99)  # type: ignore[arg-type]
    assert "99" in acl.customer_tier_changed(event).text.body
