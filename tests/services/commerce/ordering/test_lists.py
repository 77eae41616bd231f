"""Ordering's lists over gRPC: orders page by page and by what they are, offers by what one looks for."""

import base64
import json
from typing import Any

import grpc
import pytest
from commerce.catalog.v1 import catalog_events_pb2 as catalog
from commerce.inventory.v1 import inventory_events_pb2 as inventory
from commerce.ordering.v1 import ordering_service_pb2 as pb
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT, refusal

from tests.services.clients import ADDRESS, SHIPPING, Shop, line, money

UUID = "11111111-2222-4333-8444-555555555555"
INVALID = grpc.StatusCode.INVALID_ARGUMENT


def place_request(**changes: Any) -> pb.PlaceOrderRequest:
    values: dict[str, Any] = {"request_id": UUID, "customer_id": "ann", "lines": [line()], "address": ADDRESS}
    return pb.PlaceOrderRequest(**{**values, **changes})


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
        total=money(400 + SHIPPING),
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


async def test_a_list_waits_for_the_revision_of_a_command(ordering: Shop) -> None:
    for _ in range(5):
        placed = await ordering.place(ordering.order(customer="eve"))
        found = await _listed(ordering, customer_id="eve", not_before=placed.revision)
        assert placed.order.order_id in [order.order_id for order in found.orders]


@pytest.mark.parametrize("revision", ["nonsense", "offer-tea@1", "order-x@", "@2"])
async def test_a_revision_that_says_nothing_about_a_list_is_refused(ordering: Shop, revision: str) -> None:
    assert list((await refusal(_listed(ordering, not_before=revision))).fields) == ["not_before"]


async def test_offers_are_found_by_words_category_price_and_availability(ordering: Shop) -> None:
    products = [
        ("T-1", "Green tea", "tea", 450),
        ("T-2", "Black tea", "tea", 300),
        ("C-1", "Teacup, green", "cups", 900),
    ]
    for sku, name, category, price in products:
        created = catalog.ProductCreated(sku=sku, name=name, category=category, list_price=money(price))
        ordering.hear("commerce.ordering", sku, created)
    ordering.hear("commerce.ordering", "main/T-1", inventory.StockLevelChanged(warehouse="main", sku="T-1", on_hand=5))
    await eventually(lambda: _are_offered(ordering, ["T-1"], available=True))
    assert await _are_offered(ordering, ["T-2", "T-1", "C-1"])
    assert await _are_offered(ordering, ["T-1", "C-1"], text="gre tea")
    assert await _are_offered(ordering, ["T-2", "T-1"], category="tea")
    assert await _are_offered(ordering, ["T-1"], category="tea", lowest_price=400)
    assert await _are_offered(ordering, ["T-2"], highest_price=449)
    assert await _are_offered(ordering, [], text="coffee")


async def test_offers_wait_for_a_revision_too(ordering: Shop) -> None:
    created = catalog.ProductCreated(sku="T-9", name="White tea", list_price=money(500))
    ordering.hear("commerce.ordering", "T-9", created)
    assert await _are_offered(ordering, ["T-9"], text="white", not_before="offer-T-9@1")


async def _are_offered(shop: Shop, skus: list[str], **wanted: Any) -> bool:
    found = await shop.ordering.SearchOffers(pb.SearchOffersRequest(**wanted), timeout=TIMEOUT)
    return [offer.sku for offer in found.offers] == skus
