"""Stock items, in their own words: what comes in, what goes out, and when more is to be bought."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from bson import encode
from treaty.commits.decider import MOST_EFFECTS
from treaty.domain import Call, Invalid, Rejected
from treaty.mongo.commits import MAX_BYTES
from treaty.testing.scenarios import given

from services.commerce.inventory.application.stock import (
    ExpireStock,
    FollowProduct,
    expire_pieces,
    follow_products,
)
from services.commerce.inventory.domain.batches import MOST_BATCHES, MOST_HELD, Batch
from services.commerce.inventory.domain.events import (
    ItemDiscontinued,
    ItemManaged,
    ItemRegistered,
    ReorderNeeded,
    StockAdjusted,
    StockEvent,
    StockExpired,
    StockFreed,
    StockReceived,
    StockReserved,
    StockReturned,
    StockShipped,
    StockWrittenOff,
    WarehouseRegistered,
)
from services.commerce.inventory.domain.stock import StockItem
from services.commerce.inventory.domain.values import stock_id
from services.commerce.inventory.domain.warehouses import Warehouse
from services.commerce.inventory.storage import STOCK
from services.commerce.money import Money

REGISTERED = ItemRegistered(warehouse="main", sku="tea", description="Tea")
TEN = [REGISTERED, StockReceived(quantity=10)]
SEVEN_RESERVED = [*TEN, StockReserved(order_id="o-1", quantity=7)]
MAY, AFTER_MAY, JUNE = "2024-05-31", "2024-06-01", "2024-06-30"


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
    item = given(StockItem, "i", TEN).when(lambda item: item.reserve("o-1", 7, MAY))
    assert item.then([StockReserved(order_id="o-1", quantity=7)]).available == 3


def test_the_last_piece_may_be_reserved() -> None:
    given(StockItem, "i", SEVEN_RESERVED).when(lambda item: item.reserve("o-2", 3, MAY)).then(
        [StockReserved(order_id="o-2", quantity=3)]
    )


def test_more_than_is_available_is_not_reserved() -> None:
    given(StockItem, "i", SEVEN_RESERVED).when(lambda item: item.reserve("o-2", 4, MAY)).then_raises(
        Rejected, "OUT_OF_STOCK"
    )


@pytest.mark.parametrize("quantity", [0, -1])
def test_nothing_cannot_be_reserved(quantity: int) -> None:
    given(StockItem, "i", TEN).when(lambda item: item.reserve("o", quantity, MAY)).then_raises(Invalid)


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


def test_shipped_pieces_are_gone_and_no_longer_reserved() -> None:
    shipped = given(StockItem, "i", SEVEN_RESERVED).when(lambda item: item.ship("o-1", 7))
    item = shipped.then([StockShipped(order_id="o-1", quantity=7, batches=())])
    assert (item.on_hand, item.reserved, item.available) == (3, 0, 3)


def test_pieces_that_come_back_are_available_and_have_no_day_any_more() -> None:
    past = [*SEVEN_RESERVED, StockShipped(order_id="o-1", quantity=7, batches=())]
    back = given(StockItem, "i", past).when(lambda item: item.take_back("o-1", "r-1", 2))
    item = back.then([StockReturned(order_id="o-1", return_id="r-1", quantity=2)])
    assert (item.on_hand, item.available, item.batches) == (5, 5, ())


DATED = [REGISTERED, StockReceived(quantity=4, expires_on=JUNE), StockReceived(quantity=3, expires_on=MAY)]


def test_received_pieces_may_have_a_day_and_a_cost() -> None:
    cost = Money(120, "GBP")
    received = given(StockItem, "i", TEN).when(lambda item: item.receive(2, expires_on=MAY, unit_cost=cost))
    item = received.then([StockReceived(quantity=2, expires_on=MAY, unit_cost=cost)])
    assert (item.on_hand, item.batches, item.unit_cost) == (12, (Batch(expires_on=MAY, quantity=2),), cost)


def test_a_receipt_without_a_cost_leaves_the_one_known() -> None:
    past = [REGISTERED, StockReceived(quantity=1, unit_cost=Money(120, "GBP"))]
    item = given(StockItem, "i", past).when(lambda item: item.receive(1)).then([StockReceived(quantity=1)])
    assert item.unit_cost == Money(120, "GBP")


def test_a_batch_holds_all_pieces_of_a_day_and_the_earliest_comes_first() -> None:
    item = given(StockItem, "i", DATED).when(lambda item: item.receive(1, expires_on=JUNE))
    batches = item.then([StockReceived(quantity=1, expires_on=JUNE)]).batches
    assert batches == (Batch(expires_on=MAY, quantity=3), Batch(expires_on=JUNE, quantity=5))


@pytest.mark.parametrize("text", ["2024-02-30", "tomorrow", "2024-13-01"])
def test_pieces_cannot_expire_on_a_day_that_there_is_not(text: str) -> None:
    refused = given(StockItem, "i", TEN).when(lambda item: item.receive(1, expires_on=text))
    assert refused.then_raises(Invalid).field == "expires_on"


def test_a_piece_cannot_cost_less_than_nothing() -> None:
    refused = given(StockItem, "i", TEN).when(lambda item: item.receive(1, unit_cost=Money(-1, "GBP")))
    assert refused.then_raises(Invalid).field == "unit_cost"


def test_an_item_has_so_many_batches_and_no_more() -> None:
    days = [StockReceived(quantity=1, expires_on=f"{2000 + n}-01-01") for n in range(MOST_BATCHES)]
    full = given(StockItem, "i", [REGISTERED, *days])
    full.when(lambda item: item.receive(1, expires_on=MAY)).then_raises(Rejected, "TOO_MANY_BATCHES")
    full.when(lambda item: item.receive(1, expires_on="2000-01-01")).then(
        [StockReceived(quantity=1, expires_on="2000-01-01")]
    )


def test_an_item_that_very_many_orders_hold_fits_in_a_commit_and_says_when_it_is_full() -> None:
    one = (Batch(expires_on=MAY, quantity=1),)
    orders = [StockReserved(order_id=str(uuid4()), quantity=1, batches=one) for _ in range(MOST_HELD)]
    past = [REGISTERED, StockReceived(quantity=MOST_HELD + 9, expires_on=MAY), *orders]
    full = given(StockItem, "i", past)
    assert len(encode({"state": STOCK.snapshot(full.state)})) < MAX_BYTES / 3
    full.when(lambda item: item.reserve("more", 1, MAY)).then_raises(Rejected, "TOO_MANY_HOLDS")
    freed = given(StockItem, "i", [*past, StockFreed(order_id=orders[0].order_id, quantity=1)])
    freed.when(lambda item: item.reserve("more", 1, MAY)).then([replace(orders[0], order_id="more")])
    loose = given(StockItem, "i", [*past, StockWrittenOff(quantity=9, today=JUNE), StockReceived(quantity=1)])
    loose.when(lambda item: item.reserve("more", 1, MAY)).then([StockReserved(order_id="more", quantity=1)])
    spoilt = tuple(order.order_id for order in orders)
    assert len(spoilt) < MOST_EFFECTS
    full.when(lambda item: item.expire(AFTER_MAY)).then([StockExpired(today=AFTER_MAY, quantity=9, orders=spoilt)])


def test_what_leaves_leaves_in_the_order_of_the_days() -> None:
    reserved = [*DATED, StockReserved(order_id="o", quantity=5)]
    item = given(StockItem, "i", reserved).when(lambda item: item.ship("o", 5))
    gone = (Batch(expires_on=MAY, quantity=3), Batch(expires_on=JUNE, quantity=2))
    left = item.then([StockShipped(order_id="o", quantity=5, batches=gone)])
    assert (left.on_hand, left.batches) == (2, (Batch(expires_on=JUNE, quantity=2),))


OF_MAY = Batch(expires_on=MAY, quantity=2)
TWO_OF_MAY = StockReserved(order_id="o", quantity=2, batches=(OF_MAY,))


def test_the_good_pieces_with_the_earliest_day_are_reserved_first() -> None:
    reserved = (Batch(expires_on=MAY, quantity=3), Batch(expires_on=JUNE, quantity=2))
    item = given(StockItem, "i", DATED).when(lambda item: item.reserve("o", 5, MAY))
    item.then([StockReserved(order_id="o", quantity=5, batches=reserved)])
    item = given(StockItem, "i", DATED).when(lambda item: item.reserve("o", 4, AFTER_MAY))
    item.then([StockReserved(order_id="o", quantity=4, batches=(Batch(expires_on=JUNE, quantity=4),))])


def test_pieces_past_their_day_are_not_sold_even_before_they_are_known_to_be() -> None:
    item = given(StockItem, "i", DATED)
    item.when(lambda item: item.reserve("o", 5, AFTER_MAY)).then_raises(Rejected, "OUT_OF_STOCK")
    known = given(StockItem, "i", [*DATED, StockExpired(today=AFTER_MAY, quantity=3)])
    known.when(lambda item: item.reserve("o", 5, MAY)).then_raises(Rejected, "OUT_OF_STOCK")


def test_the_pieces_that_leave_are_those_that_were_reserved() -> None:
    past = [*DATED, TWO_OF_MAY, StockReserved(order_id="p", quantity=1, batches=(replace(OF_MAY, quantity=1),))]
    item = given(StockItem, "i", past).when(lambda item: item.ship("o", 2))
    left = item.then([StockShipped(order_id="o", quantity=2, batches=(OF_MAY,))])
    assert left.batches == (Batch(expires_on=MAY, quantity=1), Batch(expires_on=JUNE, quantity=4))


def test_reserved_pieces_do_not_go_missing_and_are_free_again_with_their_day() -> None:
    past = [*DATED, TWO_OF_MAY]
    lost = given(StockItem, "i", past).when(lambda item: item.adjust(-2, "lost"))
    assert lost.then([StockAdjusted(delta=-2, reason="lost")]).batches[0] == OF_MAY
    freed = given(StockItem, "i", past).when(lambda item: item.free("o", 2))
    assert freed.then([StockFreed(order_id="o", quantity=2)]).loose[0] == Batch(expires_on=MAY, quantity=3)


def test_at_the_end_of_their_day_pieces_are_sold_no_longer_and_the_orders_that_hold_some_are_named() -> None:
    ended = StockExpired(today=AFTER_MAY, quantity=1, orders=("o",))
    item = given(StockItem, "i", [*DATED, TWO_OF_MAY]).when(lambda item: item.expire(AFTER_MAY)).then([ended])
    assert (item.on_hand, item.reserved, item.expired, item.available) == (7, 2, 1, 4)
    given(StockItem, "i", [*DATED, TWO_OF_MAY, ended]).when(lambda item: item.expire(AFTER_MAY)).then_nothing()
    later = given(StockItem, "i", [*DATED, TWO_OF_MAY, ended]).when(lambda item: item.expire("2024-07-01"))
    later.then([StockExpired(today="2024-07-01", quantity=5, orders=())])


def test_pieces_that_have_left_do_not_expire() -> None:
    gone = [*DATED, StockReserved(order_id="o", quantity=3), StockShipped(order_id="o", quantity=3)]
    given(StockItem, "i", gone).when(lambda item: item.expire(AFTER_MAY)).then_nothing()


def test_expired_pieces_call_for_more() -> None:
    past = [*DATED, MANAGED]
    ended = StockExpired(today=AFTER_MAY, quantity=3)
    given(StockItem, "i", past).when(lambda item: item.expire(AFTER_MAY)).then([ended, CALLED])


def test_the_end_of_a_last_day_has_a_timer() -> None:
    item = given(StockItem, "i", DATED).state
    expire = ExpireStock(warehouse="main", sku="tea", today=AFTER_MAY)
    end = datetime(2024, 6, 1, tzinfo=UTC)
    assert list(expire_pieces(item, StockReceived(quantity=3, expires_on=MAY))) == [Call(expire, due=end)]
    assert not list(expire_pieces(item, StockReceived(quantity=3)))
    assert not list(expire_pieces(item, StockReceived(quantity=3, expires_on="9999-12-31")))


def test_shipments_stored_before_pieces_were_chosen_took_the_earliest_day() -> None:
    stored = {"type": "stock-shipped", "v": 1, "data": {"order_id": "o", "quantity": 3}}
    shipped = STOCK.events.decode(stored)
    assert shipped == StockShipped(order_id="o", quantity=3, batches=None)
    reserved = StockReserved(order_id="o", quantity=3)
    assert given(StockItem, "i", [*DATED, reserved, shipped]).state.batches == (Batch(expires_on=JUNE, quantity=4),)


def test_pieces_past_their_day_are_written_off() -> None:
    item = given(StockItem, "i", DATED).when(lambda item: item.write_off("2024-06-01"))
    left = item.then([StockWrittenOff(quantity=3, today="2024-06-01")])
    assert (left.on_hand, left.batches) == (4, (Batch(expires_on=JUNE, quantity=4),))


@pytest.mark.parametrize("today", [MAY, "2024-01-01"])
def test_pieces_are_good_until_the_end_of_their_day(today: str) -> None:
    given(StockItem, "i", DATED).when(lambda item: item.write_off(today)).then_nothing()


def test_what_is_reserved_is_not_written_off() -> None:
    reserved = [*DATED, StockReserved(order_id="o", quantity=6)]
    item = given(StockItem, "i", reserved).when(lambda item: item.write_off("2024-07-01"))
    assert item.then([StockWrittenOff(quantity=1, today="2024-07-01")]).available == 0


MANAGED = ItemManaged(bar_code="50", reorder_point=4, reorder_quantity=20)
CALLED = ReorderNeeded(available=4, reorder_point=4, reorder_quantity=20)
LOW = [*TEN, MANAGED, StockReserved(order_id="o-1", quantity=6), CALLED]


def manage(item: StockItem) -> None:
    item.manage(bar_code="50", reorder_point=4, reorder_quantity=20)


def test_an_item_is_managed() -> None:
    item = given(StockItem, "i", TEN).when(manage).then([MANAGED])
    assert (item.bar_code, item.reorder_point, item.reorder_quantity, item.runs_low) == ("50", 4, 20, False)
    given(StockItem, "i", [*TEN, MANAGED]).when(manage).then_nothing()


@pytest.mark.parametrize(("point", "quantity"), [(-1, 1), (1, -1)])
def test_less_than_nothing_cannot_be_reordered(point: int, quantity: int) -> None:
    refused = given(StockItem, "i", TEN).when(
        lambda item: item.manage(bar_code="", reorder_point=point, reorder_quantity=quantity)
    )
    refused.then_raises(Invalid)


def test_an_item_that_is_low_when_it_becomes_managed_calls_for_more_at_once() -> None:
    empty = ReorderNeeded(available=0, reorder_point=4, reorder_quantity=20)
    given(StockItem, "i", [REGISTERED]).when(manage).then([MANAGED, empty])


@pytest.mark.parametrize(
    ("command", "events"),
    [
        (lambda item: item.reserve("o-1", 6, MAY), [StockReserved(order_id="o-1", quantity=6), CALLED]),
        (lambda item: item.adjust(-6, "lost"), [StockAdjusted(delta=-6, reason="lost"), CALLED]),
        (lambda item: item.reserve("o-1", 5, MAY), [StockReserved(order_id="o-1", quantity=5)]),
    ],
)
def test_more_is_called_for_at_the_reorder_point(
    command: Callable[[StockItem], object], events: list[StockEvent]
) -> None:
    given(StockItem, "i", [*TEN, MANAGED]).when(command).then(events)


def test_writing_off_calls_for_more() -> None:
    past = [*DATED, MANAGED]
    written = [StockWrittenOff(quantity=3, today="2024-06-01"), CALLED]
    given(StockItem, "i", past).when(lambda item: item.write_off("2024-06-01")).then(written)


def test_more_is_called_for_once_until_enough_has_come() -> None:
    reserved = StockReserved(order_id="o-2", quantity=1)
    assert given(StockItem, "i", LOW).when(lambda item: item.reserve("o-2", 1, MAY)).then([reserved]).reordered
    too_few = [*LOW, reserved, StockReceived(quantity=1)]
    assert given(StockItem, "i", too_few).when(lambda item: item.reserve("o-2", 1, MAY)).then([reserved]).reordered
    filled = [*LOW, StockReceived(quantity=20)]
    again = ReorderNeeded(available=4, reorder_point=4, reorder_quantity=20)
    item = given(StockItem, "i", filled).when(lambda item: item.reserve("o-2", 20, MAY))
    item.then([StockReserved(order_id="o-2", quantity=20), again])


def test_no_more_is_called_for_of_what_is_discontinued() -> None:
    past = [*TEN, MANAGED, ItemDiscontinued()]
    item = given(StockItem, "i", past).when(lambda item: item.reserve("o-1", 10, MAY))
    assert not item.then([StockReserved(order_id="o-1", quantity=10)]).runs_low


def test_an_item_of_another_warehouse_looks_at_its_product_once_it_is_listed() -> None:
    item = given(StockItem, "north/tea").state
    north = ItemRegistered(warehouse="north", sku="tea", description="Tea")
    [call] = follow_products(item, north)
    assert (call.command, call.after) == (FollowProduct(warehouse="north", sku="tea"), timedelta(minutes=1))
    assert list(follow_products(item, REGISTERED)) == []


LISTED = ItemRegistered(warehouse="main", sku="tea", description="Tea", from_catalogue=True)
UNNAMED = ItemRegistered(warehouse="main", sku="tea", description="", from_catalogue=True)


def list_product(item: StockItem) -> None:
    item.list_product(warehouse="main", sku="tea", name="Tea")


def discontinue(item: StockItem) -> None:
    item.discontinue(warehouse="main", sku="tea")


def register(item: StockItem) -> None:
    item.register(warehouse="main", sku="tea", description="Tea")


def test_a_listed_product_has_an_item_that_somebody_may_still_register() -> None:
    assert not given(StockItem, "main/tea").when(list_product).then([LISTED]).registered
    assert given(StockItem, "main/tea", [LISTED]).when(register).then([REGISTERED]).registered


@pytest.mark.parametrize("past", [[LISTED], [REGISTERED], [LISTED, REGISTERED]])
def test_a_product_is_listed_once_and_does_not_undo_a_registration(past: list[StockEvent]) -> None:
    given(StockItem, "main/tea", past).when(list_product).then_nothing()


def test_a_product_may_be_discontinued_before_it_is_listed() -> None:
    assert given(StockItem, "main/tea").when(discontinue).then([UNNAMED, ItemDiscontinued()]).discontinued
    item = given(StockItem, "main/tea", [UNNAMED, ItemDiscontinued()]).when(list_product).then([LISTED])
    assert (item.description, item.discontinued) == ("Tea", True)


@pytest.mark.parametrize("past", [[UNNAMED, ItemDiscontinued()], [REGISTERED, ItemDiscontinued()]])
def test_a_product_is_discontinued_once(past: list[StockEvent]) -> None:
    given(StockItem, "main/tea", past).when(discontinue).then_nothing()


def test_a_receipt_stored_before_there_were_days_and_costs_is_still_read() -> None:
    stored = {"type": "stock-received", "v": 1, "data": {"quantity": 5}}
    assert STOCK.events.decode(stored) == StockReceived(quantity=5, expires_on="", unit_cost=None)


def test_a_warehouse_is_registered_once() -> None:
    north = WarehouseRegistered(name="North", country="GB")
    again = given(Warehouse, "north").when(lambda one: one.register(name="North", country="GB"))
    assert again.then([north]).country == "GB"
    twice = given(Warehouse, "north", [north]).when(lambda one: one.register(name="x", country="SE"))
    twice.then_raises(Rejected, "WAREHOUSE_REGISTERED_ALREADY")
