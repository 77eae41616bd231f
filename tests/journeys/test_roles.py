"""Contexts whose work is split by role: three processes do together what one does alone, and none does more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from commerce.inventory.v1 import inventory_service_pb2 as inventory
from commerce.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from commerce.ordering.v1 import ordering_service_pb2 as ordering
from treaty.memory.broker import MemoryBroker
from treaty.memory.stores import MemoryStores
from treaty.testing import eventually
from treaty.testing.world import World, embedded

from tests.services.clients import Shop, line

CONTEXTS = ("commerce.ordering", "commerce.inventory", "commerce.payments")


class Town:
    """The stores and the broker that the processes share."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.stores: dict[str, MemoryStores] = {}

    @asynccontextmanager
    async def process(self, role: str) -> AsyncIterator[World]:
        environ = {"TREATY_ROLE": role, "PAYMENTS_GATEWAY_SECONDS": "0.05"}
        async with embedded(*CONTEXTS, environ=environ, broker=self.broker, stores=self.stores) as world:
            yield world


async def test_three_processes_with_a_role_each_end_an_order() -> None:
    town = Town()
    async with town.process("api") as api, town.process("followers"), town.process("consumers"):
        shop = Shop(api)
        await shop.stock("tea", 10)
        placed = await shop.place(shop.order(line("tea", 2)))
        assert (await shop.ended(placed.order.order_id)).status == ordering.ORDER_STATUS_CONFIRMED
        await eventually(lambda: _is_reserved(shop))


async def _is_reserved(shop: Shop) -> bool:
    return bool(await shop.on_hand("tea") == (10, 2))


async def test_without_followers_commands_are_answered_and_their_events_wait() -> None:
    town = Town()
    async with town.process("api") as api, town.process("consumers"):
        shop = Shop(api)
        async with town.process("followers"):
            order = await _offered(shop)
        placed = await shop.place(order)
        assert (await shop.get(placed.order.order_id)).status == ordering.ORDER_STATUS_PENDING
        assert not _are_published(town, placed.order.order_id)
        async with town.process("followers"):
            assert (await shop.ended(placed.order.order_id)).status == ordering.ORDER_STATUS_CONFIRMED


async def test_without_consumers_events_wait_in_the_inbox() -> None:
    town = Town()
    async with town.process("api") as api, town.process("followers"):
        shop = Shop(api)
        async with town.process("consumers"):
            order = await _offered(shop)
        placed = await shop.place(order)
        await eventually(lambda: _are_published(town, placed.order.order_id))
        assert (await shop.get(placed.order.order_id)).status == ordering.ORDER_STATUS_PENDING
        async with town.process("consumers"):
            assert (await shop.ended(placed.order.order_id)).status == ordering.ORDER_STATUS_CONFIRMED


async def _offered(shop: Shop) -> ordering.PlaceOrderRequest:
    """Puts tea on offer, and sells some; returns another order of it, which is not placed yet."""
    await shop.stock("tea", 10)
    first = await shop.place(shop.order(line("tea", 1)))
    await shop.ended(first.order.order_id)
    order: ordering.PlaceOrderRequest = shop.order(line("tea", 1))
    return order


def _are_published(town: Town, order_id: str) -> bool:
    return any(event.partition_key == order_id for event in town.broker.published)


@pytest.mark.parametrize("role", ["followers", "consumers"])
async def test_a_process_without_the_api_answers_no_calls(role: str) -> None:
    async with Town().process(role) as world:
        stub = InventoryServiceStub(world.channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetStock(inventory.GetStockRequest(sku="tea"))
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert world.host.webhooks is None
