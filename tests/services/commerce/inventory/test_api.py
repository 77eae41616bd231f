"""Inventory over gRPC."""

from typing import Any

import grpc
import pytest
from commerce.inventory.v1 import inventory_service_pb2 as pb
from treaty.testing.clients import TIMEOUT, refusal

from tests.services.clients import Shop

UUID = "11111111-2222-4333-8444-555555555555"


async def register(shop: Shop, **values: Any) -> Any:
    known = {"request_id": UUID, "sku": "tea", "description": "Tea", **values}
    return await shop.inventory.RegisterItem(pb.RegisterItemRequest(**known), timeout=TIMEOUT)


async def receive(shop: Shop, **values: Any) -> Any:
    known = {"request_id": UUID, "sku": "tea", "quantity": 5, **values}
    return await shop.inventory.ReceiveStock(pb.ReceiveStockRequest(**known), timeout=TIMEOUT)


async def adjust(shop: Shop, **values: Any) -> Any:
    known = {"request_id": UUID, "sku": "tea", "delta": -2, "reason": "broken", **values}
    return await shop.inventory.AdjustStock(pb.AdjustStockRequest(**known), timeout=TIMEOUT)


async def get(shop: Shop, **values: Any) -> Any:
    return await shop.inventory.GetStock(pb.GetStockRequest(**{"sku": "tea", **values}), timeout=TIMEOUT)


async def test_stock_is_registered_received_and_adjusted(inventory: Shop) -> None:
    registered = await register(inventory)
    assert registered.item == pb.StockItem(warehouse="main", sku="tea", description="Tea")
    assert (await receive(inventory)).item.available == 5
    assert (await adjust(inventory)).item.on_hand == 3
    assert (await get(inventory)).item == (await get(inventory, warehouse="main")).item


async def test_a_sku_is_kept_for_each_warehouse(inventory: Shop) -> None:
    await register(inventory)
    await register(inventory, warehouse="north", request_id=inventory.ids.new())
    await receive(inventory, warehouse="north")
    assert ((await get(inventory)).item.on_hand, (await get(inventory, warehouse="north")).item.on_hand) == (0, 5)


async def test_a_repeated_receipt_adds_nothing_and_gets_the_same_answer(inventory: Shop) -> None:
    await register(inventory)
    first = await receive(inventory)
    await receive(inventory, request_id=inventory.ids.new())
    assert await receive(inventory) == first
    assert (await get(inventory)).item.on_hand == 10


async def test_one_request_id_may_be_used_by_each_method(inventory: Shop) -> None:
    await register(inventory)
    await receive(inventory)
    assert (await adjust(inventory)).revision == "stock-main/tea@3"


async def test_a_repeated_receipt_with_another_quantity_is_refused(inventory: Shop) -> None:
    await register(inventory)
    await receive(inventory)
    refused = await refusal(receive(inventory, quantity=6))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


async def test_an_item_is_registered_once(inventory: Shop) -> None:
    await register(inventory)
    refused = await refusal(register(inventory, request_id=inventory.ids.new()))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ITEM_REGISTERED_ALREADY")
    assert refused.domain == "commerce.inventory"


async def test_stock_that_is_not_there_cannot_be_taken_away(inventory: Shop) -> None:
    await register(inventory)
    refused = await refusal(adjust(inventory))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STOCK_IS_RESERVED")


@pytest.mark.parametrize("call", [receive, adjust, get])
async def test_an_unregistered_item_is_not_found(inventory: Shop, call: Any) -> None:
    assert (await refusal(call(inventory))).code is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("call", "changes", "field"),
    [
        (register, {"request_id": ""}, "request_id"),
        (register, {"sku": ""}, "sku"),
        (register, {"sku": "-tea"}, "sku"),
        (register, {"warehouse": "no/rth"}, "warehouse"),
        (register, {"description": "x" * 201}, "description"),
        (receive, {"request_id": "42"}, "request_id"),
        (receive, {"quantity": 0}, "quantity"),
        (receive, {"quantity": -1}, "quantity"),
        (receive, {"quantity": 10**9 + 1}, "quantity"),
        (adjust, {"request_id": ""}, "request_id"),
        (adjust, {"delta": 0}, "delta"),
        (adjust, {"delta": -(10**9) - 1}, "delta"),
        (adjust, {"reason": ""}, "reason"),
        (get, {"sku": "tea pot"}, "sku"),
    ],
)
async def test_wrong_input_is_refused_with_the_field_named(
    inventory: Shop, call: Any, changes: Any, field: str
) -> None:
    refused = await refusal(call(inventory, **changes))
    assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, [field])
