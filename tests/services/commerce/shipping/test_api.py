"""Shipping over gRPC, with an Ordering that answers as it is told, and the carrier in the process or behind HTTP."""

from collections.abc import AsyncIterator

import grpc
import pytest
from commerce.ordering.v1 import ordering_events_pb2 as ordering_events
from commerce.payments.v1 import payments_events_pb2 as payments
from commerce.shipping.v1 import shipping_service_pb2 as pb
from treaty.settings import SettingsError, read_settings
from treaty.testing import eventually
from treaty.testing.clients import refusal

from services.commerce.shipping.service import ShippingSettings
from tests.services.commerce.shipping.client import DELAYED, DELIVERED, FAILED, ORDER, OTHER, Dispatch, running


@pytest.fixture
async def dispatch() -> AsyncIterator[Dispatch]:
    async with running() as one:
        yield one


async def test_a_shipment_is_created_booked_and_followed_to_the_door(dispatch: Dispatch) -> None:
    dispatch.ready()
    shipment = await dispatch.comes_to(pb.SHIPMENT_STATUS_DELIVERED)
    assert (shipment.customer_id, shipment.carrier) == ("ann", "parcelnet")
    assert (shipment.confirmed, shipment.paid, shipment.allocated) == (True, True, True)
    assert list(shipment.lines) == [pb.ShippedLine(sku="tea", warehouse="main", quantity=2)]
    assert [event.word for event in shipment.tracking] == ["COLLECTED", "IN_TRANSIT", "OUT_FOR_DELIVERY", "DELIVERED"]
    assert shipment.tracking_number == dispatch.carrier.books[ORDER].tracking_number
    assert shipment.HasField("dispatched_at")
    await dispatch.settled()
    await eventually(lambda: len(dispatch.announced()) == 3)
    assert dispatch.announced() == DELIVERED


async def test_a_shipment_waits_for_what_was_not_heard_yet(dispatch: Dispatch) -> None:
    dispatch.tell(payments.PaymentReceived(order_id=ORDER))
    shipment = await dispatch.comes_to(pb.SHIPMENT_STATUS_AWAITED)
    assert (shipment.confirmed, shipment.paid, shipment.allocated) == (False, True, False)
    assert not (await dispatch.page()).shipments


@pytest.mark.parametrize(
    ("end", "status", "announced"),
    [
        ("EXC", pb.SHIPMENT_STATUS_DELIVERED, DELAYED),
        ("ODD", pb.SHIPMENT_STATUS_DELIVERED, DELIVERED),
        ("TWC", pb.SHIPMENT_STATUS_DELIVERED, DELIVERED),
        pytest.param("BSY", pb.SHIPMENT_STATUS_DELIVERED, DELIVERED, marks=pytest.mark.slow),
        ("RTS", pb.SHIPMENT_STATUS_FAILED, FAILED),
        ("BAD", pb.SHIPMENT_STATUS_FAILED, ["ShipmentCreated", "DeliveryFailed"]),
        ("erased", pb.SHIPMENT_STATUS_FAILED, ["ShipmentCreated", "DeliveryFailed"]),
        ("none", pb.SHIPMENT_STATUS_FAILED, ["ShipmentCreated", "DeliveryFailed"]),
    ],
)
async def test_whatever_the_carrier_does_the_announcements_make_sense(
    dispatch: Dispatch, end: str, status: int, announced: list[str]
) -> None:
    dispatch.ordering.ends[ORDER] = end
    dispatch.ready()
    await dispatch.comes_to(status)
    await dispatch.settled()
    await eventually(lambda: len(dispatch.announced()) >= len(announced))
    assert dispatch.announced() == announced


async def test_an_order_without_an_address_says_so(dispatch: Dispatch) -> None:
    dispatch.ordering.ends[ORDER] = "erased"
    dispatch.ready()
    failed = await dispatch.comes_to(pb.SHIPMENT_STATUS_FAILED)
    assert failed.reason == "the order has no delivery address"


@pytest.mark.slow
async def test_ordering_is_asked_until_it_answers(dispatch: Dispatch) -> None:
    dispatch.ordering.away = 3
    dispatch.ready()
    await dispatch.comes_to(pb.SHIPMENT_STATUS_DELIVERED)
    assert not dispatch.ordering.away


async def test_a_booked_shipment_is_cancelled_with_the_carrier_too(dispatch: Dispatch) -> None:
    dispatch.ordering.ends[ORDER] = "HLD"
    dispatch.ready()
    await dispatch.comes_to(pb.SHIPMENT_STATUS_BOOKED)
    cancelled = (await dispatch.cancel()).shipment
    assert (cancelled.status, cancelled.reason) == (pb.SHIPMENT_STATUS_CANCELLED, "changed my mind")
    await eventually(lambda: dispatch.carrier.books[ORDER].status == "CANCELLED")
    await dispatch.settled()
    assert (await dispatch.get()).recall_refused is False
    assert dispatch.announced() == ["ShipmentCreated", "ShipmentCancelled"]


async def test_a_booking_that_ends_after_the_cancellation_is_taken_back() -> None:
    async with running(SHIPPING_CARRIER_SECONDS="0.05") as dispatch:
        dispatch.carrier.slow = 5.0
        dispatch.ordering.ends[ORDER] = "SLO"
        dispatch.carrier.pace = 1000.0
        dispatch.ready()
        await eventually(lambda: ORDER in dispatch.carrier.books)
        assert (await dispatch.cancel()).shipment.status == pb.SHIPMENT_STATUS_CANCELLED
        await eventually(lambda: dispatch.carrier.books[ORDER].status == "CANCELLED")
        await dispatch.settled()
        assert dispatch.announced() == ["ShipmentCreated", "ShipmentCancelled"]


async def test_a_cancellation_comes_too_late_once_the_carrier_has_the_parcel(dispatch: Dispatch) -> None:
    dispatch.ready()
    await dispatch.comes_to(pb.SHIPMENT_STATUS_DELIVERED)
    refused = await refusal(dispatch.cancel())
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SHIPMENT_DISPATCHED")
    dispatch.tell(ordering_events.OrderCancelled(order_id=ORDER, reason="too late"))
    await dispatch.settled()
    assert (await dispatch.get()).status == pb.SHIPMENT_STATUS_DELIVERED


async def test_an_order_that_was_never_heard_of_can_be_cancelled_and_never_starts(dispatch: Dispatch) -> None:
    request_id = dispatch.ids.new()
    first = await dispatch.cancel(request_id=request_id)
    assert first.shipment.status == pb.SHIPMENT_STATUS_CANCELLED
    assert await dispatch.cancel(request_id=request_id) == first
    dispatch.ready()
    await dispatch.settled()
    assert (await dispatch.get()).status == pb.SHIPMENT_STATUS_CANCELLED
    assert dispatch.announced() == ["ShipmentCancelled"] * 2, "once more, because the order was confirmed meanwhile"


async def test_a_cancelled_order_is_not_shipped(dispatch: Dispatch) -> None:
    dispatch.tell(ordering_events.OrderCancelled(order_id=ORDER, reason="out of stock"))
    cancelled = await dispatch.comes_to(pb.SHIPMENT_STATUS_CANCELLED)
    assert cancelled.reason == "out of stock"


async def test_everything_that_comes_twice_takes_effect_once(dispatch: Dispatch) -> None:
    dispatch.world.broker.twice = True
    for _ in range(2):
        dispatch.ready()
    await dispatch.comes_to(pb.SHIPMENT_STATUS_DELIVERED)
    await dispatch.settled()
    await eventually(lambda: len(dispatch.announced()) == 3)
    assert dispatch.announced() == DELIVERED


async def test_shipments_are_listed_by_status_the_latest_first(dispatch: Dispatch) -> None:
    dispatch.ordering.ends[OTHER] = "HLD"
    dispatch.ready()
    await dispatch.comes_to(pb.SHIPMENT_STATUS_DELIVERED)
    dispatch.ready(OTHER)
    await dispatch.comes_to(pb.SHIPMENT_STATUS_BOOKED, OTHER)
    revision = (await dispatch.cancel(OTHER)).revision
    shown = await dispatch.page(not_before=revision)
    assert [(one.order_id, one.status) for one in shown.shipments] == [
        (OTHER, pb.SHIPMENT_STATUS_CANCELLED),
        (ORDER, pb.SHIPMENT_STATUS_DELIVERED),
    ]
    first = await dispatch.page(page_size=1)
    second = await dispatch.page(page_size=1, page_token=first.next_page_token)
    assert [*first.shipments, *second.shipments] == list(shown.shipments)
    assert not second.next_page_token
    delivered = await dispatch.page(status=pb.SHIPMENT_STATUS_DELIVERED)
    assert [one.order_id for one in delivered.shipments] == [ORDER]


async def test_what_makes_no_sense_is_refused(dispatch: Dispatch) -> None:
    assert (await refusal(dispatch.get(OTHER))).code is grpc.StatusCode.NOT_FOUND
    assert (await refusal(dispatch.get("o"))).fields.keys() == {"order_id"}
    assert (await refusal(dispatch.cancel(request_id="r"))).fields.keys() == {"request_id"}
    assert (await refusal(dispatch.page(page_token="x"))).fields.keys() == {"page_token"}


def test_the_secret_for_development_is_for_development_only() -> None:
    assert read_settings(ShippingSettings, {}).carrier == "simulated"
    with pytest.raises(SettingsError, match="SHIPPING_CARRIER_SECRET"):
        read_settings(ShippingSettings, {"TREATY_ENVIRONMENT": "production"})
