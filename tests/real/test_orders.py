"""Orders through three processes on the real servers: each effect once, the same answers, everything adds up."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc
import pytest
from commerce.inventory.v1 import inventory_service_pb2 as inventory
from commerce.ordering.v1 import ordering_service_pb2 as ordering
from commerce.payments.v1 import payments_service_pb2 as payments
from treaty.messaging.broker import exchange_of

from tests.real.town import CONTEXTS, Order, Town, new_id, town

pytestmark = pytest.mark.slow

SKUS = {"LAMP": 10_000, "MUG": 10_000, "BOX": 60, "STAR": 10_000}


@pytest.fixture
async def shop(servers: dict[str, str], tmp_path: Path) -> AsyncIterator[Town]:
    async with town(servers, tmp_path) as running:
        for sku, pieces in SKUS.items():
            await running.stock(sku, pieces)
        await running.stock("BAD", 100, pence=13)
        yield running


def some_orders(count: int) -> Sequence[Order]:
    """Returns orders of one to three SKUs; one SKU is too scarce for all, and some amounts the gateway declines."""
    chance = random.Random(4)
    orders = []
    for n in range(count):
        skus = chance.sample(sorted(SKUS), chance.randint(1, 3))
        if n % 20 == 0:
            orders.append(Order(new_id(), {"BAD": 1}, pence=13))
        else:
            orders.append(Order(new_id(), {sku: chance.randint(1, 3) for sku in skus}))
    return orders


async def everything_adds_up(shop: Town, orders: Sequence[Order]) -> None:
    """Stock is reserved for confirmed orders alone; their payments are captured, and no other's."""
    reserved = dict.fromkeys([*SKUS, "BAD"], 0)
    outcomes = set()
    for order in orders:
        found, payment = await shop.order(order.id), await shop.payment(order.id)
        outcomes.add(found.status)
        assert found.total.minor_units == payment.amount.minor_units == order.total
        if found.status == ordering.ORDER_STATUS_CONFIRMED:
            assert payment.status == payments.PAYMENT_STATUS_CAPTURED
            for sku, pieces in order.lines.items():
                reserved[sku] += pieces
        else:
            assert found.status == ordering.ORDER_STATUS_CANCELLED
            assert payment.status in (
                payments.PAYMENT_STATUS_FAILED,
                payments.PAYMENT_STATUS_VOIDED,
                payments.PAYMENT_STATUS_REFUNDED,
            )
    assert outcomes == {ordering.ORDER_STATUS_CONFIRMED, ordering.ORDER_STATUS_CANCELLED}
    for sku, pieces in reserved.items():
        item = await shop.item(sku)
        assert (item.reserved, item.on_hand) == (pieces, SKUS.get(sku, 100))


async def every_event_came_in_order(shop: Town) -> None:
    """A subscriber has every committed event, and those of one stream in their order, without gaps."""
    committed = await shop.events_committed()
    assert committed == {(event.producer, event.id) for event in shop.events}
    for events in shop.events_by_source().values():
        assert [int(event.sequence) for event in events] == list(range(1, len(events) + 1))


async def nothing_is_in_quarantine(shop: Town) -> None:
    for name in CONTEXTS:
        assert not await shop.stores[name].quarantine.find()


async def test_repeated_requests_take_effect_once_and_get_the_same_answers(shop: Town) -> None:
    orders = some_orders(200)
    at_once = await asyncio.gather(*(shop.place(order) for order in orders for _ in range(2)))
    again = await asyncio.gather(*(shop.place(order) for order in orders))
    for n, later in enumerate(again):
        assert at_once[2 * n] == at_once[2 * n + 1] == later
        assert later.order.status == ordering.ORDER_STATUS_PENDING
    await shop.settled(orders)
    assert [await shop.place(order) for order in orders[:20]] == again[:20]
    await everything_adds_up(shop, orders)
    await every_event_came_in_order(shop)
    await nothing_is_in_quarantine(shop)


async def test_repeats_of_commands_that_were_combined_get_their_own_first_answers(shop: Town) -> None:
    requests = [inventory.ReceiveStockRequest(request_id=new_id(), sku="LAMP", quantity=1 + n % 5) for n in range(150)]
    first = await asyncio.gather(*(shop.receive(request) for request in requests))
    again = await asyncio.gather(*(shop.receive(request) for request in requests))
    assert again == first
    received = sum(request.quantity for request in requests)
    assert sorted({answer.item.on_hand for answer in first})[-1] == SKUS["LAMP"] + received
    assert len({answer.item.on_hand for answer in first}) == len(requests)
    assert len({answer.revision for answer in first}) < len(requests), "some were combined into one commit"
    assert (await shop.item("LAMP")).on_hand == SKUS["LAMP"] + received


async def test_a_repeated_refusal_is_refused_again_and_changes_nothing(shop: Town) -> None:
    order = Order(new_id(), {"LAMP": 1})
    wrong = order.request
    wrong.total.CopyFrom(wrong.lines[0].unit_price)
    wrong.total.minor_units += 1
    unknown = ordering.CancelOrderRequest(request_id=new_id(), order_id=new_id())
    for _ in range(3):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await shop.cancel(unknown)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    placed = await shop.place(order)
    for _ in range(3):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _place_request(shop, wrong)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert await shop.place(order) == placed


async def _place_request(shop: Town, request: ordering.PlaceOrderRequest) -> None:
    from commerce.ordering.v1 import ordering_service_pb2_grpc as ordering_grpc

    await ordering_grpc.OrderingServiceStub(shop.channel("commerce.ordering")).PlaceOrder(request, timeout=5)


async def test_repeated_and_reordered_deliveries_change_nothing(shop: Town) -> None:
    orders = some_orders(30)
    await asyncio.gather(*(shop.place(order) for order in orders))
    await shop.settled(orders)
    copies = list(shop.events)
    random.Random(5).shuffle(copies)
    before = await shop.events_committed()
    wanted = [copy for copy in copies if copy.type.rpartition(".")[2] not in ("StockLevelChanged", "PaymentReceived")]
    for copy in wanted:
        if copy.type.rpartition(".")[2] in ("OrderPlaced", "OrderConfirmed", "OrderCancelled", "StockAllocated"):
            await shop.broker.publish(exchange_of(copy.producer), copy)
    await shop.settled(orders)
    assert await shop.events_committed() == before
    await everything_adds_up(shop, orders)
    await nothing_is_in_quarantine(shop)


@pytest.mark.parametrize("victim", CONTEXTS)
async def test_a_service_that_is_killed_and_started_again_loses_and_repeats_nothing(shop: Town, victim: str) -> None:
    orders = some_orders(100)
    placing = [asyncio.create_task(shop.place(order)) for order in orders[:50]]
    await asyncio.wait(placing, return_when=asyncio.FIRST_COMPLETED)
    await shop.kill(victim)
    placing += [asyncio.create_task(shop.place(order)) for order in orders[50:]]
    await shop.start(victim)
    answers = await asyncio.gather(*placing)
    await shop.settled(orders)
    assert [await shop.place(order) for order in orders] == answers
    await everything_adds_up(shop, orders)
    await every_event_came_in_order(shop)
    await nothing_is_in_quarantine(shop)
