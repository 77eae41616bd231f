"""Shipping over gRPC, with an Ordering that answers as it is told, and the carrier in the process or behind HTTP."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import grpc
import pytest
from commerce.inventory.v1 import inventory_events_pb2 as inventory
from commerce.ordering.v1 import ordering_events_pb2 as ordering_events
from commerce.ordering.v1 import ordering_service_pb2 as ordering
from commerce.ordering.v1 import ordering_service_pb2_grpc as ordering_grpc
from commerce.payments.v1 import payments_events_pb2 as payments
from commerce.shipping.v1 import shipping_service_pb2 as pb
from commerce.shipping.v1.shipping_service_pb2_grpc import ShippingServiceStub
from treaty.envelope import Envelope
from treaty.ports import SystemClock
from treaty.settings import SettingsError, read_settings
from treaty.testing import eventually
from treaty.testing.world import SeededIds, World, embedded
from treaty.webhooks import sign

from services.commerce.shipping.carrier import report_of
from services.commerce.shipping.service import ShippingSettings
from services.commerce.shipping.simulator import Simulator, SimulatorServer
from tests.services.clients import TIMEOUT, refusal

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
SECRET = "a secret of the carrier"
ORDER = "11111111-2222-4333-8444-555555555555"
OTHER = "22222222-2222-4333-8444-555555555555"


class Ordering(ordering_grpc.OrderingServiceServicer):
    """Tells where orders go: by the end of the postal code, the simulated carrier misbehaves."""

    def __init__(self) -> None:
        self.ends: dict[str, str] = {}
        self.away = 0

    async def GetDelivery(self, request: Any, context: Any) -> Any:
        if self.away:
            self.away -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        end = self.ends.get(request.order_id, "1AA")
        if end == "erased":
            await context.abort(grpc.StatusCode.NOT_FOUND, "the address was erased")
        address = ordering.Address(name="Ann", line1="1 High Street", city="Leeds", postal_code=end, country="GB")
        return ordering.GetDeliveryResponse(
            order_id=request.order_id, address=None if end == "none" else address, customer_id="ann"
        )


@dataclass(slots=True)
class Dispatch:
    """What clients of the running context do, and what others announce to it."""

    world: World
    ordering: Ordering
    ids: SeededIds = field(default_factory=lambda: SeededIds("requests"))

    @property
    def shipping(self) -> Any:
        return ShippingServiceStub(self.world.channel)

    @property
    def carrier(self) -> Simulator:
        simulator: Simulator = self.world.resource("commerce.shipping").simulator
        return simulator

    def tell(self, message: Any) -> None:
        """Announces something of an order, as its context does."""
        id = self.ids.new()
        envelope = Envelope(
            id=id,
            type=message.DESCRIPTOR.full_name,
            source="/test",
            subject=message.order_id,
            time=NOW,
            partition_key=message.order_id,
            sequence="1",
            body=message.SerializeToString(),
        )
        self.world.broker.deliver("commerce.shipping", envelope)

    def ready(self, order_id: str = ORDER) -> None:
        """Announces all that a shipment waits for."""
        line = inventory.AllocatedLine(sku="tea", warehouse="main", quantity=2)
        self.tell(payments.PaymentReceived(order_id=order_id))
        self.tell(inventory.StockAllocated(order_id=order_id, lines=[line]))
        self.tell(ordering_events.OrderConfirmed(order_id=order_id, customer_id="ann"))

    async def get(self, order_id: str = ORDER) -> Any:
        found = await self.shipping.GetShipment(pb.GetShipmentRequest(order_id=order_id), timeout=TIMEOUT)
        return found.shipment

    async def comes_to(self, status: int, order_id: str = ORDER) -> Any:
        """Waits until a shipment has the status, and returns it."""

        async def there() -> bool:
            try:
                return bool((await self.get(order_id)).status == status)
            except grpc.aio.AioRpcError:
                return False

        await eventually(there)
        return await self.get(order_id)

    async def cancel(self, order_id: str = ORDER, request_id: str = "") -> Any:
        request = pb.CancelShipmentRequest(
            request_id=request_id or self.ids.new(), order_id=order_id, reason="changed my mind"
        )
        return await self.shipping.CancelShipment(request, timeout=TIMEOUT)

    async def page(self, **values: Any) -> Any:
        return await self.shipping.ListShipments(pb.ListShipmentsRequest(**values), timeout=TIMEOUT)

    def announced(self, order_id: str = ORDER) -> list[str]:
        """Returns what is announced of a shipment, in order."""
        told = self.world.broker.published
        return [one.type.rpartition(".")[2] for one in told if one.partition_key.endswith(order_id)]

    async def settled(self) -> None:
        await eventually(self.world.is_settled)


@asynccontextmanager
async def running(**environ: str) -> AsyncIterator[Dispatch]:
    server = grpc.aio.server()
    orders = Ordering()  # type: ignore[abstract]  # nothing else is asked
    ordering_grpc.add_OrderingServiceServicer_to_server(orders, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    told = {
        "TREATY_PEERS": f"commerce.ordering=127.0.0.1:{port}",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
        "SHIPPING_CARRIER_SECRET": SECRET,
        "SHIPPING_CARRIER_PACE": "0.002",
        **environ,
    }
    try:
        async with embedded("commerce.shipping", environ=told) as world:
            yield Dispatch(world, orders)
    finally:
        await server.stop(0)


@pytest.fixture
async def dispatch() -> AsyncIterator[Dispatch]:
    async with running() as one:
        yield one


DELIVERED = ["ShipmentCreated", "ShipmentDispatched", "DeliveryConfirmed"]
FAILED = ["ShipmentCreated", "ShipmentDispatched", "DeliveryFailed"]


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
        ("EXC", pb.SHIPMENT_STATUS_DELIVERED, DELIVERED),
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
    assert dispatch.announced() == ["ShipmentCreated"]


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
        assert dispatch.announced() == ["ShipmentCreated"]


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
    assert not dispatch.announced()


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


async def post(dispatch: Dispatch, bodies: Iterable[bytes], *, secret: str = SECRET) -> list[int]:
    """Tells reports as the carrier does; returns how they were answered."""
    assert dispatch.world.host.webhooks is not None
    url = f"http://127.0.0.1:{dispatch.world.host.webhooks.port}/webhooks/carrier"
    answers = []
    async with aiohttp.ClientSession() as session:
        for body in bodies:
            headers = sign(secret, dispatch.ids.new(), int(SystemClock().now().timestamp()), body)
            async with session.post(url, data=body, headers=headers) as answer:
                answers.append(answer.status)
    return answers


async def test_reports_come_in_as_signed_webhooks(dispatch: Dispatch) -> None:
    dispatch.ordering.ends[ORDER] = "HLD"
    dispatch.ready()
    number = (await dispatch.comes_to(pb.SHIPMENT_STATUS_BOOKED)).tracking_number
    delivered = report_of(number, ORDER, "DELIVERED", NOW, "door")
    assert await post(dispatch, [delivered], secret="wrong") == [401]
    assert await post(dispatch, [b"hello", b"{}"]) == [400, 400]
    assert await post(dispatch, [report_of(number, ORDER, "LOST_IN_SPACE", NOW, "")]) == [204]
    assert (await dispatch.get()).status == pb.SHIPMENT_STATUS_BOOKED
    assert await post(dispatch, [delivered, delivered]) == [204, 204]
    assert (await dispatch.get()).status == pb.SHIPMENT_STATUS_DELIVERED
    await eventually(lambda: len(dispatch.announced()) == 3)
    assert dispatch.announced() == DELIVERED


async def test_a_report_on_an_order_that_nobody_ships_is_taken_and_forgotten(dispatch: Dispatch) -> None:
    assert await post(dispatch, [report_of("PN1", ORDER, "DELIVERED", NOW, "")]) == [204]
    assert (await refusal(dispatch.get())).code is grpc.StatusCode.NOT_FOUND


async def test_the_carrier_behind_http_brings_parcels_to_the_door() -> None:
    async with AsyncExitStack() as stack:
        simulator = Simulator(pace=0.002, again=0.01)
        server = SimulatorServer(simulator, callback="", secret=SECRET)
        port = await stack.enter_async_context(server.listening("127.0.0.1", 0))
        dispatch = await stack.enter_async_context(running(SHIPPING_CARRIER=f"http://127.0.0.1:{port}"))
        assert dispatch.world.host.webhooks is not None
        server.callback = f"http://127.0.0.1:{dispatch.world.host.webhooks.port}/webhooks/carrier"
        dispatch.ordering.ends[ORDER] = "TWC"
        dispatch.ready()
        await dispatch.comes_to(pb.SHIPMENT_STATUS_DELIVERED)
        await dispatch.settled()
        await eventually(lambda: len(dispatch.announced()) == 3)
        assert dispatch.announced() == DELIVERED


def test_the_secret_for_development_is_for_development_only() -> None:
    assert read_settings(ShippingSettings, {}).carrier == "simulated"
    with pytest.raises(SettingsError, match="SHIPPING_CARRIER_SECRET"):
        read_settings(ShippingSettings, {"TREATY_ENVIRONMENT": "production"})
