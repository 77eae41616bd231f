"""A caller's tracestate and baggage go on unchanged with everything that follows from its command."""

import pytest
from commerce.inventory.v1 import inventory_service_pb2 as inventory_pb
from commerce.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from commerce.ordering.v1 import ordering_service_pb2 as ordering_pb
from commerce.ordering.v1.ordering_service_pb2_grpc import OrderingServiceStub
from treaty.causes import Carried, Cause, carried_by
from treaty.commits.commit import CauseEntry
from treaty.messaging.envelope import Envelope
from treaty.telemetry.probe import PassingProbe
from treaty.testing import eventually
from treaty.testing.world import embedded

from tests.services.clients import Shop, line

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CARRIED: Carried = {"tracestate": "vendor=abc,other=1", "baggage": "cell=eu-1,release=7%202"}
REQUEST = "11111111-2222-4333-8444-555555555555"
CONTEXTS = ("commerce.ordering", "commerce.inventory", "commerce.payments", "commerce.shipping")


@pytest.mark.slow
async def test_what_a_caller_sends_reaches_every_event_that_follows() -> None:
    async with embedded(*CONTEXTS) as world:
        shop = Shop(world)
        await shop.stock("tea", 10)
        request = shop.order(line("tea", 1))
        await shop.offer("tea", request.lines[0].unit_price)
        metadata = (("traceparent", TRACE), *CARRIED.items())
        placed = await OrderingServiceStub(world.channel).PlaceOrder(request, timeout=10, metadata=metadata)
        assert (await shop.ended(placed.order.order_id)).status == ordering_pb.ORDER_STATUS_CONFIRMED
        wanted = {"OrderPlaced", "StockAllocated", "PaymentAuthorised", "OrderConfirmed", "PaymentReceived"}
        await eventually(lambda: wanted <= _events(shop, placed.order.order_id))
        await shop.settled()
        of_the_order = [event for event in world.broker.published if event.partition_key == placed.order.order_id]
        events = [event for event in of_the_order if event.type.rpartition(".")[2] in wanted]
        assert {(event.tracestate, event.baggage) for event in events} == {(CARRIED["tracestate"], CARRIED["baggage"])}
        others = [event for event in world.broker.published if event.partition_key != placed.order.order_id]
        assert others, "what follows from another command carries nothing"
        first = next(event for event in others if "stock" in event.source)
        assert (first.tracestate, first.baggage) == ("", "")


def _events(shop: Shop, order_id: str) -> set[str]:
    published = shop.world.broker.published
    return {event.type.rpartition(".")[2] for event in published if event.partition_key == order_id}


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({"traceparent": TRACE, **CARRIED}, dict(CARRIED)),
        (dict(CARRIED), {"baggage": CARRIED["baggage"]}),
        ({"traceparent": TRACE}, {}),
        ({"traceparent": TRACE, "tracestate": "a=" + "x" * 510, "baggage": "b=" + "x" * 8190}, None),
        ({"traceparent": TRACE, "tracestate": "a=" + "x" * 511, "baggage": "b=" + "x" * 8191}, {}),
        ({"baggage": "a=ü"}, {}),
        ({"baggage": "a=1\r\nx: y"}, {}),
        ({"baggage": b"a=1"}, {}),
    ],
)
def test_a_value_that_is_too_long_or_no_header_is_dropped(headers: dict[str, object], kept: dict[str, str]) -> None:
    expected = {name: headers[name] for name in CARRIED} if kept is None else kept
    assert {name: value for name, value in carried_by(headers).items() if value} == expected


def test_a_cause_sends_on_what_it_carries() -> None:
    assert dict(Cause(id="x", correlation="y", **CARRIED).carried) == {**CARRIED, "treaty-correlation": "y"}
    assert dict(Cause(id="x").carried) == {"treaty-correlation": "x"}
    assert not Cause(id="ü").carried


FOREIGN = (
    ("traceparent", TRACE),
    *CARRIED.items(),
    ("treaty-correlation", "order-7"),
    ("actor", "root"),
    ("tenant", "all"),
    ("ce-tenant", "all"),
)


async def _stored(**environ: str) -> tuple[CauseEntry, Envelope]:
    """Makes a call with foreign metadata; returns its stored cause and the event that followed."""
    async with embedded("commerce.inventory", environ=environ, probe=PassingProbe()) as world:
        stub, sku = InventoryServiceStub(world.channel), "tea"
        register = inventory_pb.RegisterItemRequest(request_id=REQUEST, sku=sku)
        await stub.RegisterItem(register, timeout=10, metadata=FOREIGN)
        receive = inventory_pb.ReceiveStockRequest(request_id=REQUEST, sku=sku, quantity=1)
        await stub.ReceiveStock(receive, timeout=10, metadata=FOREIGN)
        commits = await world.stores["commerce.inventory"].log.under("stock-")
        await eventually(lambda: world.broker.published)
        return commits[0].causes[0], world.broker.published[0]


async def test_labels_of_a_caller_are_taken_and_who_it_claims_to_be_is_not() -> None:
    cause, event = await _stored()
    assert cause.trace.split("-")[1] == TRACE.split("-")[1]
    assert (cause.tracestate, cause.baggage) == tuple(CARRIED.values())
    assert (cause.correlation, event.correlation) == ("order-7", "order-7")
    assert (cause.actor, cause.tenant, event.tenant) == ("", "", "")


async def test_a_process_that_takes_no_foreign_labels_begins_its_own() -> None:
    cause, event = await _stored(TREATY_FOREIGN_TRACES="false")
    assert TRACE.split("-")[1] not in cause.trace
    assert (cause.tracestate, cause.baggage) == ("", "")
    assert (cause.correlation, event.correlation) == (REQUEST, REQUEST)
    assert (cause.actor, cause.tenant, event.tenant) == ("", "", "")
