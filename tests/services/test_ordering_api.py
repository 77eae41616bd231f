"""Ordering over gRPC: answers, repeats, and wrong input refused with the field named."""

import base64
import json
from typing import Any

import grpc
import pytest
from commerce.ordering.v1 import ordering_service_pb2 as pb
from treaty.testing import eventually

from tests.services.clients import TIMEOUT, Shop, line, money, refusal

UUID = "11111111-2222-4333-8444-555555555555"
INVALID = grpc.StatusCode.INVALID_ARGUMENT


def place_request(**changes: Any) -> pb.PlaceOrderRequest:
    values: dict[str, Any] = {"request_id": UUID, "customer_id": "ann", "lines": [line()]}
    return pb.PlaceOrderRequest(**{**values, **changes})


async def test_an_order_is_placed_and_read(ordering: Shop) -> None:
    placed = await ordering.place(place_request(lines=[line("tea", 2, 150), line("cup", 1, 499)], total=money(799)))
    assert (placed.order.order_id, placed.revision) == (UUID, f"order-{UUID}@1")
    assert (placed.order.status, placed.order.total) == (pb.ORDER_STATUS_PENDING, money(799))
    assert await ordering.get(UUID) == placed.order


async def test_a_repeated_request_places_one_order_and_gets_the_same_answer(ordering: Shop) -> None:
    first = await ordering.place(place_request())
    await ordering.cancel(UUID)
    assert await ordering.place(place_request()) == first
    assert (
        len([c for c in ordering.world.stores["commerce.ordering"].commits.commits if c.stream == f"order-{UUID}"]) == 2
    )


async def test_a_reused_request_id_with_another_body_is_refused(ordering: Shop) -> None:
    await ordering.place(place_request())
    refused = await refusal(ordering.place(place_request(lines=[line(quantity=2)])))
    assert (refused.code, refused.reason, refused.domain) == (INVALID, "REQUEST_ID_REUSED", "commerce.ordering")
    assert list(refused.fields) == ["request_id"]
    assert (await ordering.get(UUID)).total == money(100)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"request_id": ""}, "request_id"),
    ({"request_id": "not-a-uuid"}, "request_id"),
    ({"customer_id": "a b"}, "customer_id"),
    ({"customer_id": "x" * 65}, "customer_id"),
    ({"lines": []}, "lines"),
    ({"lines": [line()] * 201}, "lines"),
    ({"lines": [line("tea"), line("tea")]}, "lines"),
    ({"lines": [line(quantity=0)]}, "lines[0].quantity"),
    ({"lines": [line("tea"), line("cup", quantity=-1)]}, "lines[1].quantity"),
    ({"lines": [line(quantity=1_000_001)]}, "lines[0].quantity"),
    ({"lines": [line(sku="")]}, "lines[0].sku"),
    ({"lines": [line(sku="tea pot")]}, "lines[0].sku"),
    ({"lines": [pb.OrderLine(sku="tea", quantity=1)]}, "lines[0].unit_price"),
    ({"lines": [line(currency="XXX")]}, "lines[0].unit_price.currency"),
    ({"lines": [line(price=10**15 + 1)]}, "lines[0].unit_price.minor_units"),
    ({"lines": [line(price=-1)]}, "lines.unit_price"),
    ({"lines": [line("tea"), line("cup", currency="EUR")]}, "lines.unit_price.currency"),
    ({"total": money(99)}, "total"),
    ({"total": money(100, "EUR")}, "total"),
]


@pytest.mark.parametrize(("changes", "field"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
async def test_wrong_input_is_refused_with_the_field_named(ordering: Shop, changes: Any, field: str) -> None:
    refused = await refusal(ordering.place(place_request(**changes)))
    assert (refused.code, refused.domain) == (INVALID, "commerce.ordering")
    assert field in refused.fields, refused
    assert refused.reason
    assert not ordering.world.stores["commerce.ordering"].commits.commits


async def test_a_refused_request_may_be_corrected_and_sent_again(ordering: Shop) -> None:
    assert (await refusal(ordering.place(place_request(total=money(1))))).reason == "TOTAL_DIFFERS"
    assert (await ordering.place(place_request())).order.order_id == UUID


async def test_every_wrong_field_is_named_at_once(ordering: Shop) -> None:
    refused = await refusal(ordering.place(place_request(request_id="x", lines=[line(quantity=0, sku="")])))
    assert set(refused.fields) == {"request_id", "lines[0].sku", "lines[0].quantity"}


async def test_an_order_is_cancelled_once_and_the_repeat_gets_the_same_answer(ordering: Shop) -> None:
    await ordering.place(place_request())
    request_id = ordering.ids.new()
    first = await ordering.cancel(UUID, request_id=request_id)
    assert (first.order.status, first.order.reason) == (pb.ORDER_STATUS_CANCELLED, "cancelled by the customer")
    assert await ordering.cancel(UUID, request_id=request_id) == first
    assert (await ordering.cancel(UUID)).order == first.order


@pytest.mark.parametrize("call", ["get", "cancel"])
async def test_an_unknown_order_is_not_found(ordering: Shop, call: str) -> None:
    refused = await refusal(getattr(ordering, call)(UUID))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert UUID in refused.message


@pytest.mark.parametrize("call", ["get", "cancel"])
async def test_an_id_that_is_none_is_refused(ordering: Shop, call: str) -> None:
    refused = await refusal(getattr(ordering, call)("42"))
    assert (refused.code, list(refused.fields)) == (INVALID, ["order_id"])


async def _listed(shop: Shop, **wanted: Any) -> Any:
    return await shop.ordering.ListOrders(pb.ListOrdersRequest(**wanted), timeout=TIMEOUT)


async def _seven_orders(shop: Shop) -> list[str]:
    """Places seven orders, for two customers in turn; returns their ids, the latest first."""
    placed = [await shop.place(shop.order(customer="ann" if n % 2 else "bob")) for n in range(7)]
    await eventually(lambda: _are_listed(shop, 7))
    ordered = sorted(placed, key=lambda p: (p.order.placed_at.ToNanoseconds(), p.order.order_id), reverse=True)
    return [p.order.order_id for p in ordered]


async def _are_listed(shop: Shop, count: int) -> bool:
    return len((await _listed(shop)).orders) == count


async def test_orders_are_listed_page_by_page_the_latest_first(ordering: Shop) -> None:
    ids = await _seven_orders(ordering)
    pages, token = [], ""
    while True:
        page = await _listed(ordering, page_size=3, page_token=token)
        pages.append([order.order_id for order in page.orders])
        token = page.next_page_token
        if not token:
            break
    assert pages == [ids[:3], ids[3:6], ids[6:]]


async def test_orders_are_listed_by_customer_and_status(ordering: Shop) -> None:
    await _seven_orders(ordering)
    mine = [order.order_id for order in (await _listed(ordering, customer_id="ann")).orders]
    assert len(mine) == 3
    await ordering.cancel(mine[1])
    cancelled = {"customer_id": "ann", "status": pb.ORDER_STATUS_CANCELLED}
    await eventually(lambda: _are_found(ordering, [mine[1]], **cancelled))
    assert await _are_found(ordering, [mine[0], mine[2]], customer_id="ann", status=pb.ORDER_STATUS_PENDING)
    assert await _are_found(ordering, [], customer_id="nobody")


async def _are_found(shop: Shop, ids: list[str], **wanted: Any) -> bool:
    return [order.order_id for order in (await _listed(shop, **wanted)).orders] == ids


async def test_a_listed_order_tells_what_matters(ordering: Shop) -> None:
    placed = await ordering.place(place_request(lines=[line("tea", 2, 150), line("cup")]))
    await eventually(lambda: _are_listed(ordering, 1))
    [row] = (await _listed(ordering)).orders
    assert row == pb.OrderSummary(
        order_id=UUID,
        customer_id="ann",
        status=pb.ORDER_STATUS_PENDING,
        total=money(400),
        line_count=2,
        placed_at=placed.order.placed_at,
    )


TOKENS = ["nonsense", "ä", base64.urlsafe_b64encode(b"[]").decode(), base64.urlsafe_b64encode(b'["now", 3]').decode()]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"page_size": -1}, "page_size"),
        ({"status": 99}, "status"),
        ({"customer_id": "a b"}, "customer_id"),
        ({"page_token": "x" * 401}, "page_token"),
        *(({"page_token": token}, "page_token") for token in TOKENS),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(ordering: Shop, wanted: Any, field: str) -> None:
    refused = await refusal(_listed(ordering, **wanted))
    assert (refused.code, list(refused.fields)) == (INVALID, [field])


async def test_a_forged_page_token_is_no_fault_of_ours(ordering: Shop) -> None:
    await _seven_orders(ordering)
    token = base64.urlsafe_b64encode(json.dumps(["2024-01-01T00:00:00", "x"]).encode()).decode()
    code = grpc.StatusCode.OK
    try:
        await _listed(ordering, page_token=token)
    except grpc.aio.AioRpcError as error:
        code = error.code()
    assert code in (grpc.StatusCode.OK, INVALID)


async def test_a_very_large_page_is_cut(ordering: Shop) -> None:
    ids = await _seven_orders(ordering)
    assert [order.order_id for order in (await _listed(ordering, page_size=100_000)).orders] == ids
