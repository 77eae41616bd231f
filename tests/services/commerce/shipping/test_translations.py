"""Shipping's edges that see protobuf: how it takes what others announce, and what it announces."""

import pytest
from commerce.inventory.v1 import inventory_events_pb2 as inventory_pb
from commerce.ordering.v1 import ordering_events_pb2 as ordering_pb
from commerce.payments.v1 import payments_events_pb2 as payments_pb
from commerce.shipping.v1 import shipping_events_pb2 as shipping_pb
from google.protobuf.timestamp_pb2 import Timestamp
from treaty.testing.scenarios import given

from services.commerce.shipping import acl
from services.commerce.shipping.application import (
    NoteAllocation,
    NoteCancellation,
    NoteConfirmation,
    NotePayment,
)
from services.commerce.shipping.domain.events import (
    BookingCancelled,
    Parcel,
    ParcelTracked,
    RecallRefused,
    ShipmentDelivered,
    ShipmentEvent,
    ShipmentFailed,
    ShippedLine,
    parcels_of,
)
from services.commerce.shipping.domain.shipments import Shipment
from services.commerce.shipping.domain.tracking import Report, Status, TrackingEvent
from services.commerce.shipping.publishing import publish
from tests.services.commerce.shipping.shipments import (
    ALLOCATED,
    BOOKED,
    CANCELLED,
    CONFIRMED,
    CREATED,
    DISPATCHED,
    LEFT,
    LINES,
    NOW,
    PAID,
    STARTED,
)


def test_what_others_announce_is_translated() -> None:
    line = inventory_pb.AllocatedLine(sku="tea", warehouse="main", quantity=2)
    assert acl.stock_allocated(inventory_pb.StockAllocated(order_id="o", lines=[line])) == NoteAllocation(
        order_id="o", lines=list(LINES)
    )
    assert acl.order_confirmed(ordering_pb.OrderConfirmed(order_id="o", customer_id="ann")) == NoteConfirmation(
        order_id="o", customer_id="ann"
    )
    assert acl.payment_received(payments_pb.PaymentReceived(order_id="o")) == NotePayment(order_id="o")
    assert acl.order_cancelled(ordering_pb.OrderCancelled(order_id="o", reason="r")) == NoteCancellation(
        order_id="o", reason="r"
    )


def test_what_becomes_of_a_shipment_is_announced() -> None:
    at = Timestamp()
    at.FromDatetime(NOW)
    whose = {"order_id": "o", "customer_id": "ann"}
    left = given(Shipment, "o", LEFT).state
    assert list(publish(left, CREATED)) == [shipping_pb.ShipmentCreated(**whose, created_at=at)]
    assert list(publish(left, DISPATCHED)) == [
        shipping_pb.ShipmentDispatched(**whose, carrier="parcelnet", tracking_number="PN1", dispatched_at=at)
    ]
    assert list(publish(left, CANCELLED)) == [shipping_pb.ShipmentCancelled(**whose, reason="changed my mind")]
    assert list(publish(left, ShipmentDelivered(at=NOW))) == [shipping_pb.DeliveryConfirmed(**whose, delivered_at=at)]
    assert list(publish(left, ShipmentFailed(reason="r"))) == [shipping_pb.DeliveryFailed(**whose, reason="r")]


def test_a_delay_is_announced_unless_the_parcel_has_gone_on_since() -> None:
    at = Timestamp()
    at.FromDatetime(NOW)
    left = given(Shipment, "o", LEFT).state
    report = TrackingEvent(status=Report.EXCEPTION, word="EXCEPTION", at=NOW)
    assert list(publish(left, ParcelTracked(report=report, status=Status.EXCEPTION))) == [
        shipping_pb.ParcelDelayed(
            order_id="o", customer_id="ann", carrier="parcelnet", tracking_number="PN1", reported_at=at
        )
    ]
    assert not list(publish(left, ParcelTracked(report=report, status=Status.OUT_FOR_DELIVERY)))


@pytest.mark.parametrize("event", [CONFIRMED, PAID, ALLOCATED, STARTED, BOOKED, BookingCancelled(), RecallRefused()])
def test_what_is_our_own_business_is_not_announced(event: ShipmentEvent) -> None:
    assert not list(publish(given(Shipment, "o", LEFT).state, event))


def test_there_is_a_parcel_for_each_warehouse() -> None:
    lines = [
        *LINES,
        ShippedLine(sku="cup", warehouse="main", quantity=1),
        ShippedLine(sku="pot", warehouse="b", quantity=4),
    ]
    assert parcels_of(lines) == [Parcel(warehouse="b", pieces=4), Parcel(warehouse="main", pieces=3)]
