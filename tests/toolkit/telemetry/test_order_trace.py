"""One order is one trace: from the client's call through three contexts to the last effect."""

import re
from collections.abc import Iterator, Mapping, Sequence

import pytest
from treaty.telemetry.spans import FinishedSpan
from treaty.telemetry.tree import parents_of

from tests.toolkit.telemetry.watchers import CLIENT, CONTEXTS, Shop, open_shop

pytestmark = pytest.mark.slow

ORDER = "00000000-0000-4000-8000-00000000000a"
REGISTER, RECEIVE = "00000000-0000-4000-8000-00000000000b", "00000000-0000-4000-8000-00000000000c"
PLACE_ORDER = "commerce.ordering.v1.OrderingService/PlaceOrder"


async def _ordered(shop: Shop, *, parent: str = "") -> None:
    await shop.stock("TEA", 10, (REGISTER, RECEIVE))
    await shop.place_order(ORDER, "TEA", parent=parent)
    await shop.captured(ORDER)
    await shop.exported()


def _event(span: FinishedSpan) -> str:
    return str(span.attributes.get("messaging.rabbitmq.destination.routing_key", "")).rpartition(".")[2]


def _titled(span: FinishedSpan) -> str:
    """A span as `service: what`; the partition, which depends on the order's id, is left out."""
    what = re.sub(r"\.q\d+$", "", span.name)
    return f"{span.service.removeprefix('commerce.')}: {what} {_event(span)}".rstrip()


def _edges(spans: Sequence[FinishedSpan], parents: Mapping[str, str]) -> set[tuple[str, str]]:
    known = {span.span_id: span for span in spans}
    return {(_titled(known[parent]), _titled(known[child])) for child, parent in parents.items()}


def _ancestors(span: FinishedSpan, spans: Sequence[FinishedSpan]) -> Iterator[str]:
    known = {span.span_id: span for span in spans}
    while span.parent_id in known:
        span = known[span.parent_id]
        yield _titled(span)


async def test_an_order_is_one_trace_from_the_call_to_the_last_effect() -> None:
    async with open_shop() as shop:
        await _ordered(shop)
        (trace_id,) = [id for id in shop.receiver.traces() if CLIENT in shop.receiver.services(id)]
        spans = shop.receiver.trace(trace_id)
        elsewhere = [span for id in shop.receiver.traces() if id != trace_id for span in shop.receiver.trace(id)]
    assert {span.service for span in spans} == {CLIENT, *CONTEXTS}
    assert [span.name for span in spans if not span.parent_id] == [PLACE_ORDER]
    assert not [_titled(span) for span in spans if span.failed]
    assert not [span.name for span in elsewhere if ORDER in str(span.attributes)], "part of the order is elsewhere"

    caused = _edges(spans, {span.span_id: span.parent_id for span in spans if span.parent_id})
    placed = f"ordering: {PLACE_ORDER}"
    assert caused >= {
        (f"{CLIENT}: {PLACE_ORDER}", placed),
        (placed, "ordering: decide order"),
        (placed, "ordering: commit order"),
        (placed, "ordering: publish commerce.ordering.events OrderPlaced"),
        (placed, "inventory: process commerce.inventory OrderPlaced"),
        (placed, "payments: process commerce.payments OrderPlaced"),
        ("inventory: process commerce.inventory OrderPlaced", "inventory: commit stock"),
        ("payments: process commerce.payments OrderPlaced", "payments: call authorise"),
        ("payments: call authorise", "payments: commit payment"),
        ("ordering: call confirm-order", "ordering: commit order"),
        ("ordering: call confirm-order", "ordering: publish commerce.ordering.events OrderConfirmed"),
        ("payments: process commerce.payments OrderConfirmed", "payments: call capture"),
        ("payments: call capture", "payments: publish commerce.payments.events PaymentReceived"),
    }
    (confirming,) = [span for span in spans if span.name == "call confirm-order"]
    (last,) = [span for span in spans if span.name.startswith("publish") and _event(span) == "PaymentReceived"]
    assert any(title.startswith("ordering: process commerce.ordering") for title in _ancestors(confirming, spans))
    assert list(_ancestors(last, spans))[-2:] == [placed, f"{CLIENT}: {PLACE_ORDER}"]

    assert _edges(spans, parents_of(spans)) >= {
        (
            "ordering: publish commerce.ordering.events OrderPlaced",
            "inventory: process commerce.inventory OrderPlaced",
        ),
        ("ordering: publish commerce.ordering.events OrderPlaced", "payments: process commerce.payments OrderPlaced"),
        (
            "inventory: publish commerce.inventory.events StockAllocated",
            "ordering: process commerce.ordering StockAllocated",
        ),
        (
            "payments: publish commerce.payments.events PaymentAuthorised",
            "ordering: process commerce.ordering PaymentAuthorised",
        ),
        (
            "ordering: publish commerce.ordering.events OrderConfirmed",
            "payments: process commerce.payments OrderConfirmed",
        ),
    }


async def test_an_order_that_its_client_does_not_sample_leaves_no_span_in_any_context() -> None:
    async with open_shop() as shop:
        await _ordered(shop, parent="00-" + "ab" * 16 + "-" + "cd" * 8 + "-00")
        spans = [span for id in shop.receiver.traces() for span in shop.receiver.trace(id)]
    assert any("RegisterItem" in span.name for span in spans), "something was recorded"
    assert not [_titled(span) for span in spans if ORDER in str(span.attributes) or span.name == PLACE_ORDER]


SHAPES = {
    f"shop: {PLACE_ORDER}": (
        "client",
        {"rpc.method": PLACE_ORDER, "rpc.response.status_code": "OK", "rpc.system.name": "grpc"},
    ),
    f"ordering: {PLACE_ORDER}": (
        "server",
        {"rpc.method": PLACE_ORDER, "rpc.response.status_code": "OK", "rpc.system.name": "grpc"},
    ),
    "ordering: decide order": ("internal", {}),
    "ordering: commit order": (
        "client",
        {
            "db.collection.name": "commits",
            "db.operation.name": "insert",
            "db.system.name": "mongodb",
            "treaty.commit.causes": 1,
            "treaty.commit.id": f"order-{ORDER}@000000000001",
        },
    ),
    "ordering: publish commerce.ordering.events OrderPlaced": (
        "producer",
        {
            "cloudevents.event_id": f"order-{ORDER}@1#1",
            "cloudevents.event_source": f"/commerce.ordering/order-{ORDER}",
            "cloudevents.event_type": "commerce.ordering.v1.OrderPlaced",
            "messaging.destination.name": "commerce.ordering.events:commerce.ordering.v1.OrderPlaced",
            "messaging.message.conversation_id": ORDER,
            "messaging.message.id": f"order-{ORDER}@1#1",
            "messaging.operation.name": "publish",
            "messaging.operation.type": "send",
            "messaging.rabbitmq.destination.routing_key": "commerce.ordering.v1.OrderPlaced",
            "messaging.system": "rabbitmq",
        },
    ),
    "inventory: process commerce.inventory OrderPlaced": (
        "consumer",
        {
            "cloudevents.event_id": f"order-{ORDER}@1#1",
            "cloudevents.event_source": f"/commerce.ordering/order-{ORDER}",
            "cloudevents.event_type": "commerce.ordering.v1.OrderPlaced",
            "messaging.destination.name": "commerce.ordering.events:commerce.ordering.v1.OrderPlaced:"
            "commerce.inventory.p<n>",
            "messaging.message.conversation_id": ORDER,
            "messaging.message.id": f"order-{ORDER}@1#1",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.rabbitmq.destination.routing_key": "commerce.ordering.v1.OrderPlaced",
            "messaging.system": "rabbitmq",
        },
    ),
    "payments: call capture": ("internal", {}),
}


async def test_spans_keep_the_shape_that_dashboards_are_built_on() -> None:
    async with open_shop() as shop:
        await _ordered(shop)
        spans = [span for id in shop.receiver.traces() for span in shop.receiver.trace(id)]
    first = {_titled(span): span for span in sorted(spans, key=lambda span: span.start, reverse=True)}
    for title, (kind, attributes) in SHAPES.items():
        seen = {name: re.sub(r"\.q\d+$", ".p<n>", v) if isinstance(v, str) else v for name, v in _of(first[title])}
        assert (title, first[title].kind, seen) == (title, kind, attributes)
    process = first["inventory: process commerce.inventory OrderPlaced"]
    assert process.links == [(process.trace_id, process.parent_id)]


def _of(span: FinishedSpan) -> Iterator[tuple[str, object]]:
    yield from span.attributes.items()
