"""A caller's tracestate and baggage go on unchanged with everything that follows from its command."""

import pytest
from commerce.ordering.v1 import ordering_service_pb2 as ordering_pb
from commerce.ordering.v1.ordering_service_pb2_grpc import OrderingServiceStub
from treaty.causes import Carried, Cause, carried_by
from treaty.testing import eventually
from treaty.testing.world import embedded

from tests.services.clients import Shop, line

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CARRIED: Carried = {"tracestate": "vendor=abc,other=1", "baggage": "cell=eu-1,release=7%202"}
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
    assert dict(Cause(id="x", **CARRIED).carried) == CARRIED
    assert not Cause(id="x").carried
