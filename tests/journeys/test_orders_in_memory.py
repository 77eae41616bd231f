"""Orders under stress: three contexts in one process, on memory adapters. The paths of an order are in paths.py."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from commerce.ordering.v1 import ordering_service_pb2 as ordering_pb
from commerce.payments.v1 import payments_service_pb2 as payments_pb
from treaty.memory.broker import MemoryBroker
from treaty.testing import eventually
from treaty.testing.world import SeededIds, embedded

from services.commerce.payments.external.gateway.simulator import Account
from tests.services.clients import SHIPPING, Shop, line

CONTEXTS = ("commerce.ordering", "commerce.inventory", "commerce.payments")
QUICK = {"PAYMENTS_GATEWAY_SECONDS": "0.05"}
CONFIRMED, CANCELLED = ordering_pb.ORDER_STATUS_CONFIRMED, ordering_pb.ORDER_STATUS_CANCELLED


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with embedded(*CONTEXTS, environ=QUICK) as world:
        shop = Shop(world)
        shop.world.resource("commerce.payments").simulator.late = 0.15
        await shop.stock("tea", 10)
        yield shop


def account(shop: Shop, order_id: str) -> Account:
    found: Account = shop.world.resource("commerce.payments").simulator.accounts[order_id]
    return found


async def buy(shop: Shop, *lines: Any) -> str:
    placed = await shop.place(shop.order(*lines))
    return str(placed.order.order_id)


async def test_a_gateway_that_repeats_itself_is_believed_once(shop: Shop) -> None:
    order_id = await buy(shop, line("tea", 1, 123))
    assert (await shop.ended(order_id)).status == CONFIRMED
    await shop.paid(order_id, payments_pb.PAYMENT_STATUS_CAPTURED)
    assert account(shop, order_id).captured == 123 + SHIPPING


async def test_a_capture_that_the_gateway_refuses_cancels_the_confirmed_order_and_frees_its_stock() -> None:
    async with embedded(*CONTEXTS, "commerce.shipping", environ=QUICK) as world:
        shop = Shop(world)
        world.resource("commerce.payments").simulator.rules = {37: "refuse-capture"}
        await shop.stock("tea", 10)
        order_id = await buy(shop, line("tea", 1, 137))

        async def cancelled() -> Any:
            order = await shop.get(order_id)
            return order if order.status == CANCELLED else None

        order = await eventually(cancelled)
        assert order.reason == "payment failed: the money could not be taken: declined by the bank"
        await shop.settled()
        assert await shop.on_hand("tea") == (10, 0)
        assert (account(shop, order_id).held, account(shop, order_id).captured) == (0, 0)


@pytest.mark.slow
async def test_an_order_whose_answers_do_not_come_is_cancelled_at_its_deadline() -> None:
    environ = {**QUICK, "ORDERING_ANSWER_SECONDS": "0.2"}
    async with embedded("commerce.ordering", environ=environ) as world:
        shop = Shop(world)
        order = await shop.ended(await buy(shop))
        assert (order.status, order.reason) == (CANCELLED, "no answer in time from stock and payment")
        await shop.settled()


@pytest.mark.slow
async def test_answers_after_the_deadline_change_nothing_and_free_what_they_took() -> None:
    broker, stores = MemoryBroker(), {}  # type: ignore[var-annotated]
    environ = {**QUICK, "ORDERING_ANSWER_SECONDS": "0.2", "TREATY_INBOX_WAIT_SECONDS": "0.5"}
    async with embedded(*CONTEXTS, environ=environ, broker=broker, stores=stores) as world:
        shop = Shop(world)
        await shop.stock("tea", 10)
        await shop.settled()
        broker.away = True
        order_id = await buy(shop, line("tea", 2))
        assert (await shop.ended(order_id)).status == CANCELLED
        broker.away = False
        await eventually(lambda: _released(shop, order_id))
        await shop.settled()
        assert await shop.on_hand("tea") == (10, 0)
        assert (await shop.get(order_id)).reason == "no answer in time from stock and payment"


async def _released(shop: Shop, order_id: str) -> bool:
    seen = {event.type.rpartition(".")[2] for event in shop.world.broker.published if event.partition_key == order_id}
    return {"OrderCancelled", "AllocationReleased"} <= seen


async def test_a_process_goes_on_at_once_where_the_last_one_stopped() -> None:
    broker, stores = MemoryBroker(), {}  # type: ignore[var-annotated]
    environ = {**QUICK, "TREATY_LEASE_SECONDS": "300"}
    async with embedded(*CONTEXTS, environ=environ, broker=broker, stores=stores) as world:
        shop = Shop(world)
        await shop.stock("tea", 10)
        broker.away = True
        request = shop.order(line("tea", 2))
        first = await shop.place(request)
    broker.away = False
    async with embedded(*CONTEXTS, environ=environ, broker=broker, stores=stores) as world:
        shop = Shop(world)
        assert await shop.place(request) == first
        assert (await shop.ended(request.request_id)).status == CONFIRMED
        await shop.settled()
        assert await shop.on_hand("tea") == (10, 2)


@pytest.mark.slow
async def test_two_processes_share_the_work_and_one_takes_over_from_the_other() -> None:
    broker, stores = MemoryBroker(), {}  # type: ignore[var-annotated]
    environ = {**QUICK, "TREATY_LEASE_SECONDS": "2"}
    async with embedded(*CONTEXTS, environ=environ, broker=broker, stores=stores) as other:
        second = Shop(other)
        async with embedded(*CONTEXTS, environ=environ, broker=broker, stores=stores) as world:
            first = Shop(world)
            first.ids = SeededIds("first")
            await second.stock("tea", 100)
            orders = [await buy(shop, line("tea", 1)) for _ in range(5) for shop in (first, second)]
            statuses = [(await second.ended(order_id)).status for order_id in orders]
            assert statuses == [CONFIRMED] * 10
        orders += [await buy(second, line("tea", 1)) for _ in range(5)]
        assert [(await second.ended(order_id)).status for order_id in orders] == [CONFIRMED] * 15
        await second.settled()
        assert await second.on_hand("tea") == (100, 15)
    assert set(Counter(event.id for event in broker.published).values()) == {1}


STOCK = {"rare": 4, **{f"{sku}-{price}": 1000 for sku in ("tea", "cup", "pot") for price in (100, 123, 113, 117, 119)}}
OUTCOMES = {100: CONFIRMED, 123: CONFIRMED, 113: CANCELLED, 117: CANCELLED, 119: CANCELLED}


@pytest.mark.slow
async def test_sixty_orders_with_repeats_and_duplicates_add_up() -> None:
    broker = MemoryBroker()
    broker.twice = True
    async with embedded(*CONTEXTS, environ=QUICK, broker=broker) as world:
        shop = Shop(world)
        shop.world.resource("commerce.payments").simulator.late = 0.15
        for sku, pieces in STOCK.items():
            await shop.stock(sku, pieces)
        wanted = _sixty(shop)
        answers = await asyncio.gather(*(_place_thrice(shop, request) for request, _ in wanted))
        assert all(first == second == third for first, second, third in answers)
        orders = [await shop.ended(request.order.order_id) for request in _firsts(answers)]
        await shop.settled()
        await eventually(lambda: _money_is_at_rest(shop))
        await _stock_adds_up(shop, wanted, orders)
        _money_adds_up(shop, orders)
        _statuses_are_as_expected(wanted, orders)
        _nothing_was_published_twice(broker, world.stores)


def _sixty(shop: Shop) -> list[tuple[ordering_pb.PlaceOrderRequest, int]]:
    """Returns orders and the pieces of each: all outcomes, one or two lines, some for what is rare."""
    wanted = []
    for n in range(60):
        price = list(OUTCOMES)[n % 5]
        sku = ("tea", "cup", "pot")[n % 3]
        lines = [line("rare", 1, 100)] if n % 6 == 0 else [line(f"{sku}-{price}", 1 + n % 4, price)]
        if n % 7 == 0:
            lines.append(line("extra" if n % 14 else "tea-spoon", 1, 0))
        wanted.append((shop.order(*lines), n))
    return wanted


async def _place_thrice(shop: Shop, request: ordering_pb.PlaceOrderRequest) -> tuple[Any, Any, Any]:
    first, second = await asyncio.gather(shop.place(request), shop.place(request))
    return first, second, await shop.place(request)


def _firsts(answers: list[tuple[Any, Any, Any]]) -> list[Any]:
    return [first for first, _, _ in answers]


async def _money_is_at_rest(shop: Shop) -> bool:
    accounts = shop.world.resource("commerce.payments").simulator.accounts.values()
    return all(one.held == 0 for one in accounts)


async def _stock_adds_up(shop: Shop, wanted: list[Any], orders: list[Any]) -> None:
    reserved: Counter[str] = Counter()
    for order in orders:
        if order.status == CONFIRMED:
            reserved.update({one.sku: one.quantity for one in order.lines})
    for sku, received in STOCK.items():
        assert await shop.on_hand(sku) == (received, reserved[sku])


def _money_adds_up(shop: Shop, orders: list[Any]) -> None:
    accounts = shop.world.resource("commerce.payments").simulator.accounts
    for order in orders:
        one = accounts.get(order.order_id, Account())
        kept = one.captured - one.refunded
        assert kept == (order.total.minor_units if order.status == CONFIRMED else 0)


def _statuses_are_as_expected(wanted: list[Any], orders: list[Any]) -> None:
    for (request, _), order in zip(wanted, orders, strict=True):
        simple = len(request.lines) == 1 and request.lines[0].sku != "rare" and request.lines[0].quantity == 1
        if simple:
            assert order.status == OUTCOMES[request.lines[0].unit_price.minor_units]
    assert {order.status for order in orders} == {CONFIRMED, CANCELLED}


def _nothing_was_published_twice(broker: MemoryBroker, stores: Any) -> None:
    published = Counter(event.id for event in broker.published)
    assert set(published.values()) == {1}
    committed = sum(len(commit.outbox) for store in stores.values() for commit in store.commits.commits)
    assert committed == len(published)
