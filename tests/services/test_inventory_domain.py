"""Stock items and allocations, in their own words."""

import pytest
from treaty.domain import Invalid, Rejected
from treaty.testing.scenarios import given

from services.commerce.inventory.domain import (
    AllocatedLine,
    Allocation,
    AllocationCancelled,
    AllocationRequested,
    ItemRegistered,
    OrderAllocated,
    OrderNotAllocated,
    OrderReleased,
    Status,
    StockAdjusted,
    StockFreed,
    StockItem,
    StockReceived,
    StockReserved,
    stock_id,
)

REGISTERED = ItemRegistered(warehouse="main", sku="tea", description="Tea")
TEN = [REGISTERED, StockReceived(quantity=10)]
SEVEN_RESERVED = [*TEN, StockReserved(order_id="o-1", quantity=7)]


def test_an_item_is_registered() -> None:
    item = (
        given(StockItem, "main/tea")
        .when(lambda item: item.register(warehouse="main", sku="tea", description="Tea"))
        .then([REGISTERED])
    )
    assert (item.sku, item.on_hand, item.available) == ("tea", 0, 0)


def test_an_item_is_registered_once() -> None:
    again = given(StockItem, "main/tea", TEN).when(
        lambda item: item.register(warehouse="main", sku="tea", description="x")
    )
    again.then_raises(Rejected, "ITEM_REGISTERED_ALREADY")


def test_received_pieces_are_available() -> None:
    item = given(StockItem, "i", TEN).when(lambda item: item.receive(5)).then([StockReceived(quantity=5)])
    assert (item.on_hand, item.available) == (15, 15)


@pytest.mark.parametrize("quantity", [0, -3])
def test_nothing_cannot_be_received(quantity: int) -> None:
    assert given(StockItem, "i", TEN).when(lambda item: item.receive(quantity)).then_raises(Invalid).field == "quantity"


def test_reserved_pieces_are_not_available_to_others() -> None:
    item = given(StockItem, "i", TEN).when(lambda item: item.reserve("o-1", 7))
    assert item.then([StockReserved(order_id="o-1", quantity=7)]).available == 3


def test_the_last_piece_may_be_reserved() -> None:
    given(StockItem, "i", SEVEN_RESERVED).when(lambda item: item.reserve("o-2", 3)).then(
        [StockReserved(order_id="o-2", quantity=3)]
    )


def test_more_than_is_available_is_not_reserved() -> None:
    given(StockItem, "i", SEVEN_RESERVED).when(lambda item: item.reserve("o-2", 4)).then_raises(
        Rejected, "OUT_OF_STOCK"
    )


@pytest.mark.parametrize("quantity", [0, -1])
def test_nothing_cannot_be_reserved(quantity: int) -> None:
    given(StockItem, "i", TEN).when(lambda item: item.reserve("o", quantity)).then_raises(Invalid)


def test_freed_pieces_are_available_again() -> None:
    item = given(StockItem, "i", SEVEN_RESERVED).when(lambda item: item.free("o-1", 7))
    assert item.then([StockFreed(order_id="o-1", quantity=7)]).available == 10


@pytest.mark.parametrize("delta", [4, -3])
def test_a_count_corrects_what_is_on_hand(delta: int) -> None:
    item = given(StockItem, "i", SEVEN_RESERVED).when(lambda item: item.adjust(delta, "counted"))
    assert item.then([StockAdjusted(delta=delta, reason="counted")]).on_hand == 10 + delta


def test_what_is_reserved_cannot_go_missing_on_paper() -> None:
    given(StockItem, "i", SEVEN_RESERVED).when(lambda item: item.adjust(-4, "lost")).then_raises(
        Rejected, "STOCK_IS_RESERVED"
    )


def test_an_adjustment_of_nothing_is_refused() -> None:
    assert given(StockItem, "i", TEN).when(lambda item: item.adjust(0, "?")).then_raises(Invalid).field == "delta"


def test_an_empty_warehouse_is_the_main_one() -> None:
    assert stock_id("", "tea") == stock_id("main", "tea") != stock_id("north", "tea")


LINES = (AllocatedLine(sku="tea", warehouse="main", quantity=2), AllocatedLine(sku="cup", warehouse="main", quantity=1))
REQUESTED = AllocationRequested(lines=LINES)
REFUSED = OrderNotAllocated(sku="cup", reason="none left")
RELEASED = OrderReleased(lines=LINES)


def request(allocation: Allocation) -> None:
    allocation.request(LINES)


def refuse(allocation: Allocation) -> None:
    allocation.refuse("cup", "none left")


def test_an_allocation_is_requested_once() -> None:
    assert given(Allocation, "o").when(request).then([REQUESTED]).lines == LINES
    given(Allocation, "o", [REQUESTED]).when(request).then_nothing()


def test_an_allocation_of_a_cancelled_order_is_not_even_requested() -> None:
    given(Allocation, "o", [AllocationCancelled()]).when(request).then_nothing()


def test_an_allocation_ends_allocated_or_refused() -> None:
    given(Allocation, "o", [REQUESTED]).when(Allocation.complete).then([OrderAllocated()])
    refused = given(Allocation, "o", [REQUESTED]).when(refuse).then([REFUSED])
    assert (refused.status, refused.lines) == (Status.REFUSED, ())


@pytest.mark.parametrize("past", [[], [REQUESTED, OrderAllocated()], [REQUESTED, REFUSED]])
def test_an_allocation_ends_once(past: list[AllocationRequested]) -> None:
    given(Allocation, "o", past).when(Allocation.complete).then_raises(Rejected)
    given(Allocation, "o", past).when(refuse).then_raises(Rejected)


def test_cancelling_an_allocated_order_says_what_to_free() -> None:
    cancelled = given(Allocation, "o", [REQUESTED, OrderAllocated()]).when(Allocation.cancel)
    assert cancelled.then([AllocationCancelled()]).to_free == LINES


def test_cancelling_before_the_request_frees_nothing() -> None:
    assert given(Allocation, "o").when(Allocation.cancel).then([AllocationCancelled()]).to_free == ()


@pytest.mark.parametrize(
    "past",
    [[REQUESTED, REFUSED], [AllocationCancelled()], [REQUESTED, OrderAllocated(), AllocationCancelled(), RELEASED]],
)
def test_there_is_nothing_to_cancel_twice_or_after_a_refusal(past: list[AllocationRequested]) -> None:
    given(Allocation, "o", past).when(Allocation.cancel).then_nothing()


def test_an_allocation_in_the_making_is_finished_before_it_is_cancelled() -> None:
    with pytest.raises(RuntimeError, match="not finished"):
        given(Allocation, "o", [REQUESTED]).when(Allocation.cancel)


def test_a_cancelled_allocation_is_released_once() -> None:
    past = [REQUESTED, OrderAllocated(), AllocationCancelled()]
    released = given(Allocation, "o", past).when(Allocation.release).then([RELEASED])
    assert (released.status, released.to_free) == (Status.RELEASED, ())
    given(Allocation, "o", [*past, RELEASED]).when(Allocation.release).then_raises(Rejected)
