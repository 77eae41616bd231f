"""Deadlines hold by the server's clock, and after what came in time has been read; on memory adapters."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from commerce.ordering.v1 import ordering_service_pb2 as ordering_pb
from treaty.clock import SystemClock
from treaty.memory.broker import MemoryBroker
from treaty.memory.stores import MemoryStores
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.world import SeededIds, World, embedded

from tests.services.clients import Shop, line

CONTEXTS = ("commerce.ordering", "commerce.inventory", "commerce.payments")
CONFIRMED, CANCELLED = ordering_pb.ORDER_STATUS_CONFIRMED, ordering_pb.ORDER_STATUS_CANCELLED


@dataclass(frozen=True, slots=True)
class WrongClock:
    """The clock of a process that is ahead of its servers, or behind them if `ahead` is negative."""

    ahead: timedelta

    def now(self) -> datetime:
        return SystemClock().now() + self.ahead


def servers() -> dict[str, MemoryStores]:
    """Returns the stores of all contexts, whose clock is right."""
    return {name: MemoryStores(Surroundings()) for name in CONTEXTS}


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [-5, 5])
async def test_a_wrong_clock_neither_cancels_an_order_at_once_nor_minutes_late(minutes: int) -> None:
    clock, broker, stores = WrongClock(timedelta(minutes=minutes)), MemoryBroker(), servers()
    patient = {"ORDERING_ANSWER_SECONDS": "60", "INVENTORY_ALLOCATION_SECONDS": "60"}
    async with embedded("commerce.ordering", environ=patient, broker=broker, stores=stores, clock=clock) as world:
        shop = Shop(world)
        order_id = await _buy(shop)
        await eventually(lambda: _timers(world, 1))
        async with embedded(*CONTEXTS[1:], environ=patient, broker=broker, stores=stores, clock=clock) as others:
            await Shop(others).stock("tea", 10)
        assert (await shop.get(order_id)).status == ordering_pb.ORDER_STATUS_PENDING
    hasty = {"ORDERING_ANSWER_SECONDS": "1"}
    async with embedded("commerce.ordering", environ=hasty, broker=broker, stores=stores, clock=clock) as world:
        shop = Shop(world)
        shop.ids = SeededIds("hasty")
        assert (await shop.ended(await _buy(shop))).status == CANCELLED


@pytest.mark.slow
async def test_answers_that_came_in_time_count_after_a_long_absence() -> None:
    broker, stores = MemoryBroker(), servers()
    environ = {"ORDERING_ANSWER_SECONDS": "2"}
    async with embedded(*CONTEXTS, environ=environ, broker=broker, stores=stores) as world:
        await Shop(world).stock("tea", 100)
        await Shop(world).settled()
    async with embedded("commerce.ordering", environ=environ, broker=broker, stores=stores) as world:
        shop = Shop(world)
        orders = [await _buy(shop) for _ in range(20)]
        await eventually(lambda: _told(broker, "OrderPlaced", 20))
    async with embedded(*CONTEXTS[1:], environ=environ, broker=broker, stores=stores):
        await eventually(lambda: _told(broker, "StockAllocated", 20) and _told(broker, "PaymentAuthorised", 20))
    await eventually(lambda: _are_overdue(stores["commerce.ordering"]))
    async with embedded("commerce.ordering", environ=environ, broker=broker, stores=stores) as world:
        shop = Shop(world)
        assert [(await shop.ended(order_id)).status for order_id in orders] == [CONFIRMED] * 20
        await eventually(lambda: _timers(world, 0))


async def _buy(shop: Shop) -> str:
    placed = await shop.place(shop.order(line("tea", 1)))
    return str(placed.order.order_id)


async def _timers(world: World, number: int) -> bool:
    return len(await world.stores["commerce.ordering"].pending.timers(100)) == number


def _told(broker: MemoryBroker, event: str, times: int) -> bool:
    return len({e.partition_key for e in broker.published if e.type.endswith(f".{event}")}) >= times


async def _are_overdue(stores: MemoryStores) -> bool:
    timers, now = await stores.pending.timers(100), await stores.pending.now()
    return len(timers) == 20 and all(due <= now for due in timers.values())
