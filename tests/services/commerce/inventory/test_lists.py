"""Managed items, lists of stock, and warehouses, over gRPC."""

from typing import Any

import grpc
import pytest
from commerce.catalog.v1 import catalog_events_pb2 as catalog
from commerce.inventory.v1 import inventory_events_pb2 as events
from commerce.inventory.v1 import inventory_service_pb2 as pb
from treaty.causes import Cause, acting
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT, refusal

from services.commerce.inventory.application.stock import FollowProduct, Stock
from tests.services.clients import Shop, money


async def receive(shop: Shop, sku: str, warehouse: str = "", quantity: int = 5, **values: Any) -> str:
    """Registers an item and receives pieces; returns the revision."""
    register = pb.RegisterItemRequest(request_id=shop.ids.new(), sku=sku, warehouse=warehouse)
    await shop.inventory.RegisterItem(register, timeout=TIMEOUT)
    request = pb.ReceiveStockRequest(
        request_id=shop.ids.new(), sku=sku, warehouse=warehouse, quantity=quantity, **values
    )
    return str((await shop.inventory.ReceiveStock(request, timeout=TIMEOUT)).revision)


async def manage(shop: Shop, sku: str, request_id: str = "", **values: Any) -> Any:
    known = {"request_id": request_id or shop.ids.new(), "reorder_point": 5, "reorder_quantity": 20, **values}
    return await shop.inventory.ManageItem(pb.ManageItemRequest(sku=sku, **known), timeout=TIMEOUT)


async def page(shop: Shop, **values: Any) -> Any:
    return await shop.inventory.ListStock(pb.ListStockRequest(**values), timeout=TIMEOUT)


async def listed(shop: Shop, **values: Any) -> list[tuple[str, str]]:
    return [(item.sku, item.warehouse) for item in (await page(shop, **values)).items]


async def test_a_list_shows_what_a_command_has_done(inventory: Shop) -> None:
    revision = await receive(inventory, "tea", expires_on="2999-12-31", unit_cost=money(120))
    (item,) = (await page(inventory, not_before=revision)).items
    assert (item.sku, item.on_hand, item.available, item.unit_cost) == ("tea", 5, 5, money(120))
    assert list(item.batches) == [pb.Batch(expires_on="2999-12-31", quantity=5)]


async def test_stock_is_listed_by_sku_and_by_warehouse(inventory: Shop) -> None:
    for sku, warehouse in [("tea", ""), ("cup", "north"), ("cup", "")]:
        revision = await receive(inventory, sku, warehouse)
        await page(inventory, not_before=revision)
    assert await listed(inventory) == [("cup", "main"), ("cup", "north"), ("tea", "main")]
    assert await listed(inventory, sku="cup") == [("cup", "main"), ("cup", "north")]
    assert await listed(inventory, warehouse="main") == [("cup", "main"), ("tea", "main")]
    assert await listed(inventory, warehouse="north", sku="tea") == []


async def called_for_more(shop: Shop) -> set[str]:
    """Returns the warehouses that have announced that they need more pieces."""
    await shop.settled()
    name = events.ReorderNeeded.DESCRIPTOR.full_name
    told = [events.ReorderNeeded.FromString(one.body) for one in shop.world.broker.published if one.type == name]
    return {one.warehouse for one in told}


async def discontinued(shop: Shop, sku: str) -> None:
    shop.hear("commerce.inventory", sku, catalog.ProductDiscontinued(sku=sku))
    await shop.settled()


async def test_a_discontinued_product_is_reordered_in_no_warehouse(inventory: Shop) -> None:
    for warehouse in ("main", "north", "south"):
        await page(inventory, not_before=await receive(inventory, "tea", warehouse))
    await receive(inventory, "cup", "north")
    for _ in range(2):
        await discontinued(inventory, "tea")
    for warehouse in ("main", "north", "south"):
        await manage(inventory, "tea", warehouse=warehouse)
    assert await called_for_more(inventory) == set()
    await manage(inventory, "cup", warehouse="north")
    assert await called_for_more(inventory) == {"north"}, "another product is still reordered"
    assert await listed(inventory, to_reorder=True) == [("cup", "north")]


async def test_an_item_that_is_registered_after_the_end_of_its_product_is_not_reordered(inventory: Shop) -> None:
    await discontinued(inventory, "tea")
    await receive(inventory, "tea", "north")
    await manage(inventory, "tea", warehouse="north")
    assert await called_for_more(inventory) == set()


async def test_an_item_that_is_registered_at_the_end_of_its_product_follows_it(inventory: Shop) -> None:
    for sku in ("tea", "cup"):
        await receive(inventory, sku, "north")
        await page(inventory, not_before=await receive(inventory, sku))
    stock: Stock = inventory.world.runner("commerce.inventory").service.calls[FollowProduct].__self__  # type: ignore[attr-defined]
    with acting(Cause(id="discontinue", digest="", durable=True)):
        await stock.items.change("main/tea", lambda item: item.discontinue(warehouse="main", sku="tea"))
    for sku in ("tea", "cup"):
        with acting(Cause(id=f"follow/{sku}", digest="", durable=True)):
            await stock.follow_product(FollowProduct(warehouse="north", sku=sku))
    ended = {sku: (await stock.items.get(f"north/{sku}")).state.discontinued for sku in ("tea", "cup")}
    assert ended == {"tea": True, "cup": False}


async def test_stock_is_listed_page_by_page(inventory: Shop) -> None:
    for sku in ("pot", "tea", "cup"):
        await page(inventory, not_before=await receive(inventory, sku))
    first = await page(inventory, page_size=2)
    assert [item.sku for item in first.items] == ["cup", "pot"]
    last = await page(inventory, page_size=2, page_token=first.next_page_token)
    assert ([item.sku for item in last.items], last.next_page_token) == (["tea"], "")


@pytest.mark.parametrize("values", [{"page_token": "nonsense"}, {"not_before": "order-1@1"}, {"page_size": -1}])
async def test_a_list_that_cannot_be_is_refused_with_the_field_named(inventory: Shop, values: Any) -> None:
    refused = await refusal(page(inventory, **values))
    assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, list(values))


async def test_an_item_that_runs_low_is_announced_once_and_listed(inventory: Shop) -> None:
    await receive(inventory, "tea")
    await receive(inventory, "cup", quantity=100)
    managed = [await manage(inventory, sku, bar_code="50") for sku in ("cup", "tea")]
    assert [one.item.reorder_point for one in managed] == [5, 5]
    for one in managed:
        await page(inventory, not_before=one.revision)
    assert await listed(inventory, to_reorder=True) == [("tea", "main")]
    adjust = pb.AdjustStockRequest(request_id=inventory.ids.new(), sku="tea", delta=-1, reason="broken")
    await inventory.inventory.AdjustStock(adjust, timeout=TIMEOUT)
    await inventory.settled()
    named = events.ReorderNeeded.DESCRIPTOR.full_name
    told = await eventually(lambda: [one for one in inventory.world.broker.published if one.type == named])
    assert [events.ReorderNeeded.FromString(one.body) for one in told] == [
        events.ReorderNeeded(warehouse="main", sku="tea", available=5, reorder_point=5, reorder_quantity=20)
    ]


async def test_managing_an_item_twice_with_one_request_id_gets_the_same_answer(inventory: Shop) -> None:
    await receive(inventory, "tea")
    request_id = inventory.ids.new()
    first = await manage(inventory, "tea", request_id)
    await manage(inventory, "tea", reorder_point=1)
    assert await manage(inventory, "tea", request_id) == first


async def test_what_is_past_its_day_is_written_off(inventory: Shop) -> None:
    await receive(inventory, "tea", quantity=5, expires_on="2001-01-01")
    request = pb.WriteOffExpiredRequest(request_id=inventory.ids.new(), sku="tea")
    for _ in range(2):
        written_off = await inventory.inventory.WriteOffExpired(request, timeout=TIMEOUT)
        assert (written_off.item.on_hand, list(written_off.item.batches)) == (0, [])


async def test_pieces_past_their_day_are_on_hand_but_not_sold(inventory: Shop) -> None:
    await receive(inventory, "tea", quantity=3)
    old = pb.ReceiveStockRequest(request_id=inventory.ids.new(), sku="tea", quantity=5, expires_on="2001-01-01")
    await inventory.inventory.ReceiveStock(old, timeout=TIMEOUT)

    async def expired() -> pb.StockItem | None:
        item = (await inventory.inventory.GetStock(pb.GetStockRequest(sku="tea"), timeout=TIMEOUT)).item
        return item if item.expired else None

    item = await eventually(expired)
    assert item is not None
    assert (item.on_hand, item.expired, item.available) == (8, 5, 3)


async def test_a_day_that_there_is_not_is_refused(inventory: Shop) -> None:
    await receive(inventory, "tea")
    request = pb.ReceiveStockRequest(request_id=inventory.ids.new(), sku="tea", quantity=1, expires_on="2024-02-30")
    refused = await refusal(inventory.inventory.ReceiveStock(request, timeout=TIMEOUT))
    assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["expires_on"])


async def test_a_warehouse_is_registered_once(inventory: Shop) -> None:
    request = pb.RegisterWarehouseRequest(request_id=inventory.ids.new(), warehouse="north", name="North", country="GB")
    first = await inventory.inventory.RegisterWarehouse(request, timeout=TIMEOUT)
    assert first.warehouse == "north"
    assert await inventory.inventory.RegisterWarehouse(request, timeout=TIMEOUT) == first
    request.request_id = inventory.ids.new()
    refused = await refusal(inventory.inventory.RegisterWarehouse(request, timeout=TIMEOUT))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "WAREHOUSE_REGISTERED_ALREADY")
