"""What becomes of the stock of an order: held, secured, gone, and back again."""

import asyncio
from collections.abc import Coroutine, Sequence
from itertools import permutations
from typing import Any, TypeVar

import grpc
import pytest
from commerce.catalog.v1 import catalog_events_pb2 as catalog
from commerce.inventory.v1 import inventory_events_pb2 as events
from commerce.inventory.v1 import inventory_service_pb2 as pb
from commerce.ordering.v1 import ordering_events_pb2 as ordering
from treaty.causes import Cause, acting
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT, refusal
from treaty.testing.world import embedded

from services.commerce.inventory.application.allocations import (
    Allocations,
    ExpireAllocation,
    FulfilOrder,
    ReleaseOrder,
    TakeBack,
)
from services.commerce.inventory.domain.allocations import Allocation
from tests.services.clients import Shop

ORDER = "aaaaaaaa-2222-4333-8444-555555555555"
OTHER = "bbbbbbbb-2222-4333-8444-555555555555"
RETURN = "cccccccc-2222-4333-8444-555555555555"
T = TypeVar("T")
FULFILLED = pb.ALLOCATION_STATUS_FULFILLED


def placed(shop: Shop, order_id: str = ORDER, **pieces: int) -> None:
    lines = [ordering.PlacedLine(sku=sku, quantity=quantity) for sku, quantity in pieces.items()]
    shop.hear("commerce.inventory", order_id, ordering.OrderPlaced(order_id=order_id, lines=lines))


async def allocation(shop: Shop, order_id: str = ORDER) -> Any:
    request = pb.GetAllocationRequest(order_id=order_id)
    return (await shop.inventory.GetAllocation(request, timeout=TIMEOUT)).allocation


async def comes_to(shop: Shop, status: int, order_id: str = ORDER) -> Any:
    """Waits until an allocation has the status and nothing is left to do, and returns it."""

    async def there() -> bool:
        try:
            return bool((await allocation(shop, order_id)).status == status)
        except grpc.aio.AioRpcError:
            return False

    await eventually(there)
    await shop.settled()
    return await allocation(shop, order_id)


async def delivered(shop: Shop, order_id: str = ORDER, **pieces: int) -> Any:
    placed(shop, order_id, **pieces)
    shop.hear("commerce.inventory", order_id, ordering.OrderConfirmed(order_id=order_id))
    shop.hear("commerce.inventory", order_id, ordering.OrderCompleted(order_id=order_id))
    return await comes_to(shop, FULFILLED, order_id)


async def take_back(shop: Shop, request_id: str = "", order_id: str = ORDER, **pieces: int) -> Any:
    request = pb.TakeBackRequest(
        request_id=request_id or shop.ids.new(),
        order_id=order_id,
        return_id=RETURN,
        pieces=[pb.ReturnedPieces(sku=sku, quantity=quantity) for sku, quantity in pieces.items()],
    )
    return await shop.inventory.TakeBack(request, timeout=TIMEOUT)


def use_cases(shop: Shop) -> Allocations:
    calls = shop.world.runner("commerce.inventory").service.calls
    allocating: Allocations = calls[ExpireAllocation].__self__  # type: ignore[attr-defined]
    return allocating


async def acted(id: str, use_case: Coroutine[Any, Any, T]) -> T:
    with acting(Cause(id=id, digest="", durable=True)):
        return await use_case


def lines(found: Any) -> list[tuple[str, str, int]]:
    return [(one.sku, one.warehouse, one.quantity) for one in found.lines]


async def test_an_order_is_held_secured_and_gone(inventory: Shop) -> None:
    await inventory.stock("tea", 10)
    placed(inventory, tea=4)
    held = await comes_to(inventory, pb.ALLOCATION_STATUS_ALLOCATED)
    assert (lines(held), held.HasField("expires_at")) == ([("tea", "main", 4)], True)
    assert await inventory.on_hand("tea") == (10, 4)
    inventory.hear("commerce.inventory", ORDER, ordering.OrderConfirmed(order_id=ORDER))
    secured = await comes_to(inventory, pb.ALLOCATION_STATUS_SECURED)
    assert not secured.HasField("expires_at")
    for _ in range(2):
        inventory.hear("commerce.inventory", ORDER, ordering.OrderCompleted(order_id=ORDER))
    assert lines(await comes_to(inventory, FULFILLED)) == [("tea", "main", 4)]
    assert await inventory.on_hand("tea") == (6, 0)


LIFE = [
    ordering.OrderPlaced(order_id=ORDER, lines=[ordering.PlacedLine(sku="tea", quantity=4)]),
    ordering.OrderConfirmed(order_id=ORDER),
    ordering.OrderCompleted(order_id=ORDER),
]


@pytest.mark.parametrize("heard", list(permutations(LIFE)))
async def test_the_pieces_of_a_completed_order_leave_in_whatever_order_we_hear(
    inventory: Shop, heard: Sequence[Any]
) -> None:
    await inventory.stock("tea", 10)
    for event in heard:
        inventory.hear("commerce.inventory", ORDER, event)
    assert lines(await comes_to(inventory, FULFILLED)) == [("tea", "main", 4)]
    assert await inventory.on_hand("tea") == (6, 0)


async def test_an_order_that_was_only_confirmed_has_no_allocation_yet(inventory: Shop) -> None:
    inventory.hear("commerce.inventory", ORDER, ordering.OrderConfirmed(order_id=ORDER))
    await inventory.settled()
    assert (await refusal(allocation(inventory))).code is grpc.StatusCode.NOT_FOUND


async def test_what_is_not_confirmed_in_time_is_free_again() -> None:
    async with embedded("commerce.inventory", environ={"INVENTORY_ALLOCATION_SECONDS": "0.01"}) as world:
        shop = Shop(world)
        await shop.stock("tea", 10)
        placed(shop, tea=4)
        released = events.AllocationReleased.DESCRIPTOR.full_name
        (told,) = await eventually(lambda: [one for one in world.broker.published if one.type == released])
        assert events.AllocationReleased.FromString(told.body).reason == events.RELEASE_REASON_EXPIRED
        assert lines(await comes_to(shop, pb.ALLOCATION_STATUS_RELEASED)) == []
        assert await shop.on_hand("tea") == (10, 0)


async def test_an_order_that_expires_and_is_cancelled_at_once_frees_its_pieces_once(inventory: Shop) -> None:
    await inventory.stock("tea", 10)
    placed(inventory, tea=4)
    await comes_to(inventory, pb.ALLOCATION_STATUS_ALLOCATED)
    allocating = use_cases(inventory)
    await asyncio.gather(
        acted("expiry", allocating.expire_allocation(ExpireAllocation(order_id=ORDER))),
        acted("cancellation", allocating.release_order(ReleaseOrder(order_id=ORDER))),
    )
    assert lines(await comes_to(inventory, pb.ALLOCATION_STATUS_RELEASED)) == []
    assert await inventory.on_hand("tea") == (10, 0)


async def test_an_order_that_was_cancelled_before_it_was_heard_of_gets_nothing(inventory: Shop) -> None:
    await inventory.stock("tea", 10)
    inventory.hear("commerce.inventory", ORDER, ordering.OrderCancelled(order_id=ORDER))
    placed(inventory, tea=4)
    await comes_to(inventory, pb.ALLOCATION_STATUS_RELEASED)
    assert await inventory.on_hand("tea") == (10, 0)


async def stocked(shop: Shop, warehouse: str, quantity: int, sku: str = "tea") -> None:
    """Registers an item in a warehouse and receives pieces, and waits until the list shows them."""
    register = pb.RegisterItemRequest(request_id=shop.ids.new(), sku=sku, warehouse=warehouse)
    await shop.inventory.RegisterItem(register, timeout=TIMEOUT)
    request = pb.ReceiveStockRequest(request_id=shop.ids.new(), sku=sku, warehouse=warehouse, quantity=quantity)
    revision = (await shop.inventory.ReceiveStock(request, timeout=TIMEOUT)).revision
    await shop.inventory.ListStock(pb.ListStockRequest(not_before=revision), timeout=TIMEOUT)


async def levels(shop: Shop, sku: str = "tea") -> dict[str, tuple[int, int]]:
    """Returns the pieces on hand and reserved by warehouse."""
    await shop.settled()
    found = await shop.inventory.ListStock(pb.ListStockRequest(sku=sku), timeout=TIMEOUT)
    return {item.warehouse: (item.on_hand, item.reserved) for item in found.items}


async def test_an_order_that_no_warehouse_has_alone_comes_from_several_and_goes_back_to_them(inventory: Shop) -> None:
    for warehouse in ("main", "north"):
        await stocked(inventory, warehouse, 3)
    placed(inventory, tea=4)
    held = await comes_to(inventory, pb.ALLOCATION_STATUS_ALLOCATED)
    assert lines(held) == [("tea", "main", 3), ("tea", "north", 1)]
    assert await levels(inventory) == {"main": (3, 3), "north": (3, 1)}
    await delivered(inventory, tea=4)
    assert await levels(inventory) == {"main": (0, 0), "north": (2, 0)}
    await take_back(inventory, tea=4)
    assert await levels(inventory) == {"main": (3, 0), "north": (3, 0)}


async def test_a_cancelled_order_frees_its_pieces_in_every_warehouse(inventory: Shop) -> None:
    for warehouse in ("main", "north"):
        await stocked(inventory, warehouse, 3)
    placed(inventory, tea=5)
    await comes_to(inventory, pb.ALLOCATION_STATUS_ALLOCATED)
    for _ in range(2):
        inventory.hear("commerce.inventory", ORDER, ordering.OrderCancelled(order_id=ORDER))
    await comes_to(inventory, pb.ALLOCATION_STATUS_RELEASED)
    assert await levels(inventory) == {"main": (3, 0), "north": (3, 0)}


async def test_a_warehouse_that_has_fewer_than_it_showed_frees_what_the_others_reserved(inventory: Shop) -> None:
    for warehouse in ("main", "north"):
        await stocked(inventory, warehouse, 3)
    allocating = use_cases(inventory)
    planned = await acted("plan", allocating._planned({"tea": 6}))
    await acted("other order", allocating.items.change("north/tea", lambda item: item.reserve(OTHER, 1, "2024-01-01")))
    await acted("request", allocating.allocations.add(ORDER, lambda allocation: allocation.request(planned)))
    placed(inventory, tea=6)
    assert lines(await comes_to(inventory, pb.ALLOCATION_STATUS_REFUSED)) == []
    assert await levels(inventory) == {"main": (3, 0), "north": (3, 1)}


async def test_another_warehouse_is_chosen_when_the_main_one_has_too_few(inventory: Shop) -> None:
    await inventory.stock("tea", 3)
    for warehouse in ("south", "north"):
        await stocked(inventory, warehouse, 9)
    placed(inventory, tea=4)
    placed(inventory, OTHER, tea=3)
    assert lines(await comes_to(inventory, pb.ALLOCATION_STATUS_ALLOCATED)) == [("tea", "north", 4)]
    assert lines(await comes_to(inventory, pb.ALLOCATION_STATUS_ALLOCATED, OTHER)) == [("tea", "main", 3)]


async def test_an_order_that_all_warehouses_together_cannot_supply_is_refused(inventory: Shop) -> None:
    for warehouse in ("main", "north"):
        await stocked(inventory, warehouse, 3)
    placed(inventory, tea=7)
    assert lines(await comes_to(inventory, pb.ALLOCATION_STATUS_REFUSED)) == []
    assert await levels(inventory) == {"main": (3, 0), "north": (3, 0)}


async def test_a_return_is_taken_back_once_whoever_asks_again(inventory: Shop) -> None:
    await inventory.stock("tea", 10)
    await delivered(inventory, tea=4)
    request_id = inventory.ids.new()
    first = await take_back(inventory, request_id, tea=3)
    assert lines(first.allocation) == [("tea", "main", 1)]
    assert await take_back(inventory, request_id, tea=3) == first
    assert (await take_back(inventory, tea=3)).allocation == first.allocation
    assert await inventory.on_hand("tea") == (9, 0)


async def test_a_repeat_ends_a_return_that_was_noted_and_not_taken_in(inventory: Shop) -> None:
    await inventory.stock("tea", 10)
    await delivered(inventory, tea=4)
    allocating = use_cases(inventory)
    noted = allocating.allocations.change(ORDER, lambda allocation: allocation.take_back(RETURN, {"tea": 3}))
    await acted("request", noted)
    assert await inventory.on_hand("tea") == (6, 0)
    for request in ("request", "request", "another request"):
        await acted(request, allocating.take_back(TakeBack(order_id=ORDER, return_id=RETURN, pieces={"tea": 3})))
        assert await inventory.on_hand("tea") == (9, 0)


async def test_a_repeat_gives_out_the_pieces_of_an_order_that_was_noted_as_completed(inventory: Shop) -> None:
    await inventory.stock("tea", 10)
    placed(inventory, tea=4)
    await comes_to(inventory, pb.ALLOCATION_STATUS_ALLOCATED)
    allocating = use_cases(inventory)
    await acted("message/fulfil", allocating.allocations.change(ORDER, Allocation.fulfil))
    await acted("timer", allocating.expire_allocation(ExpireAllocation(order_id=ORDER)))
    assert await inventory.on_hand("tea") == (10, 4)
    for _ in range(2):
        await acted("message", allocating.fulfil_order(FulfilOrder(order_id=ORDER)))
        assert await inventory.on_hand("tea") == (6, 0)


async def test_returns_of_two_orders_are_both_taken_back_even_under_one_id(inventory: Shop) -> None:
    await inventory.stock("tea", 10)
    await delivered(inventory, tea=4)
    await delivered(inventory, OTHER, tea=4)
    await take_back(inventory, tea=1)
    await take_back(inventory, order_id=OTHER, tea=1)
    assert await inventory.on_hand("tea") == (4, 0)


async def test_pieces_of_one_sku_may_come_back_in_several_lines(inventory: Shop) -> None:
    await inventory.stock("tea", 10)
    await delivered(inventory, tea=4)
    pieces = [pb.ReturnedPieces(sku="tea", quantity=quantity) for quantity in (2, 1)]
    request = pb.TakeBackRequest(
        request_id=inventory.ids.new(), order_id=ORDER.upper(), return_id=RETURN, pieces=pieces
    )
    taken = await inventory.inventory.TakeBack(request, timeout=TIMEOUT)
    assert lines(taken.allocation) == [("tea", "main", 1)]
    assert await inventory.on_hand("tea") == (9, 0)


async def test_what_was_not_delivered_or_not_so_much_is_not_taken_back(inventory: Shop) -> None:
    await inventory.stock("tea", 10)
    placed(inventory, tea=4)
    await comes_to(inventory, pb.ALLOCATION_STATUS_ALLOCATED)
    assert (await refusal(take_back(inventory, tea=1))).reason == "NOT_DELIVERED"
    await delivered(inventory, tea=4)
    assert (await refusal(take_back(inventory, tea=5))).reason == "TOO_MANY_RETURNED"
    assert (await refusal(take_back(inventory, order_id=OTHER, tea=1))).code is grpc.StatusCode.NOT_FOUND
    assert await inventory.on_hand("tea") == (6, 0)


async def test_an_allocation_that_nobody_asked_for_is_not_found(inventory: Shop) -> None:
    assert (await refusal(allocation(inventory))).code is grpc.StatusCode.NOT_FOUND


async def test_a_product_of_the_catalogue_becomes_an_item_that_may_still_be_registered(inventory: Shop) -> None:
    inventory.hear("commerce.inventory", "tea", catalog.ProductCreated(sku="tea", name="Tea"))
    await inventory.settled()
    found = await inventory.inventory.GetStock(pb.GetStockRequest(sku="tea"), timeout=TIMEOUT)
    assert (found.item.description, found.item.on_hand) == ("Tea", 0)
    await inventory.stock("tea", 5)
    inventory.hear("commerce.inventory", "tea", catalog.ProductDiscontinued(sku="tea"))
    await inventory.settled()
    assert await inventory.on_hand("tea") == (5, 0)
