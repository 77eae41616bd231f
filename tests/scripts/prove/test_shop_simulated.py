"""Ordering, Inventory and Payments themselves under simulated faults: every order ends, and everything adds up."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from commerce.catalog.v1 import catalog_events_pb2 as catalog
from commerce.inventory.v1 import inventory_service_pb2 as inventory
from commerce.money.v1.money_pb2 import Money
from commerce.ordering.v1 import ordering_service_pb2 as ordering
from commerce.payments.v1 import payments_service_pb2 as payments
from treaty.messaging.broker import exchange_of
from treaty.operations.audit import Audit, audit
from treaty.operations.backlog import backlog
from treaty.service.contexts import load_context
from treaty.service.ports import Ports
from treaty.service.service import Service
from treaty.surroundings import Surroundings
from treaty.testing.simulation import Cluster, Rates, Unanswered, simulate
from treaty.testing.simulation.cluster import SimulatedChance
from treaty.testing.simulation.nemesis import Nemesis
from treaty.testing.world import SeededIds

from tests.real.town import Order
from tests.services.clients import told

pytestmark = pytest.mark.slow

CONTEXTS = ("commerce.ordering", "commerce.inventory", "commerce.payments")
STOCK, PIECES = 12, 2


@dataclass(slots=True)
class Outcome:
    """What came of a run: the state of each order and payment, what is reserved, and the messages."""

    orders: list[int] = field(default_factory=list)
    payments: list[int] = field(default_factory=list)
    reserved: int = 0
    on_hand: int = 0
    messages: Audit = field(default_factory=Audit)
    faults: list[str] = field(default_factory=list)


class _Shop:
    """The three contexts on a cluster, where a lamp is sold."""

    def __init__(self) -> None:
        self.cluster = Cluster(load=load_context, contexts=CONTEXTS, environ={"PAYMENTS_GATEWAY": "simulated"})
        self.services = {name: self._looked_at(name) for name in CONTEXTS}

    def _looked_at(self, name: str) -> Service:
        cluster, chance = self.cluster, SimulatedChance(self.cluster.loop)
        stores, clock = cluster.stores[name], cluster.clock
        return load_context(name)(
            Ports(
                stores=stores,
                surroundings=Surroundings(clock=clock, ids=SeededIds(), chance=chance),
                environ=cluster.environ,
            )
        )

    def new_id(self) -> str:
        return str(uuid.UUID(int=self.cluster.loop.chance.getrandbits(128), version=4))

    async def open(self) -> None:
        for context in CONTEXTS:
            self.cluster.start(context)
        await self.cluster.up()
        created = catalog.ProductCreated(sku="LAMP", name="Lamp", list_price=Money(minor_units=100, currency="GBP"))
        await self.cluster.broker.publish(exchange_of("commerce.catalog"), told("LAMP", created, self.new_id()))
        await self.settled()
        await self.ask("commerce.inventory", "RegisterItem", self._inventory(inventory.RegisterItemRequest))
        receive = self._inventory(inventory.ReceiveStockRequest, quantity=STOCK)
        await self.ask("commerce.inventory", "ReceiveStock", receive)

    def _inventory(self, kind: Any, **more: int) -> Any:
        return kind(request_id=self.new_id(), sku="LAMP", **more)

    async def ask(self, context: str, method: str, request: Any) -> Any:
        while True:
            try:
                return await self.cluster.ask(context, method, request)
            except Unanswered:
                await asyncio.sleep(0.2)

    async def look(self, context: str, method: str, request: Any) -> Any:
        """Asks a service that nothing of a process stands behind: it reads the store."""
        return await getattr(self.services[context].api.servicer, method)(request, None)

    async def settled(self, orders: Sequence[Order] = ()) -> None:
        """Waits until no order is pending, and nothing is left to do but timers."""
        async with asyncio.timeout(1800):
            while await self._left(orders):
                await asyncio.sleep(1)

    async def _left(self, orders: Sequence[Order]) -> bool:
        for order in orders:
            seen = await self.look("commerce.ordering", "GetOrder", ordering.GetOrderRequest(order_id=order.id))
            if seen.order.status == ordering.ORDER_STATUS_PENDING:
                return True
        for name, service in self.services.items():
            stores = self.cluster.stores[name]
            if not (await backlog(service, stores, self.cluster.broker, self.cluster.partitions)).empty:
                return True
        return False


async def _run(faulty: bool) -> Outcome:
    shop = _Shop()
    await shop.open()
    # An event that two contexts want is routable again when one of them is bound: the other one then needs a replay.
    nemesis = Nemesis(shop.cluster, without=frozenset({"unbind"}))
    befalling = asyncio.create_task(nemesis.run(5.0 if faulty else 0.0))
    if faulty:
        shop.cluster.disturb(Rates(lost=0.02, unanswered=0.02, late=0.02))
    orders = [Order(shop.new_id(), {"LAMP": PIECES}) for _ in range(STOCK // PIECES + 2)]
    await asyncio.gather(*(shop.ask("commerce.ordering", "PlaceOrder", order.request) for order in orders))
    await befalling
    shop.cluster.disturb(Rates())
    await shop.settled(orders)
    return await _outcome(shop, orders)


async def _outcome(shop: _Shop, orders: list[Order]) -> Outcome:
    found = Outcome(faults=shop.cluster.faults)
    for order in orders:
        seen = await shop.look("commerce.ordering", "GetOrder", ordering.GetOrderRequest(order_id=order.id))
        paid = await shop.look("commerce.payments", "GetPayment", payments.GetPaymentRequest(order_id=order.id))
        found.orders.append(seen.order.status)
        found.payments.append(paid.payment.status)
    stock = await shop.look("commerce.inventory", "GetStock", inventory.GetStockRequest(sku="LAMP"))
    found.reserved, found.on_hand = stock.item.reserved, stock.item.on_hand
    logs = [(shop.services[name], shop.cluster.stores[name].log) for name in CONTEXTS]
    found.messages = await audit(logs)
    return found


def _adds_up(found: Outcome) -> None:
    confirmed = found.orders.count(ordering.ORDER_STATUS_CONFIRMED)
    assert confirmed + found.orders.count(ordering.ORDER_STATUS_CANCELLED) == len(found.orders)
    assert (found.reserved, found.on_hand) == (confirmed * PIECES, STOCK)
    for order, payment in zip(found.orders, found.payments, strict=True):
        captured = payment == payments.PAYMENT_STATUS_CAPTURED
        assert captured == (order == ordering.ORDER_STATUS_CONFIRMED)
    unheard_of = [message for message in found.messages.unheard_of if "commerce.catalog/" not in message]
    assert (found.messages.missing, unheard_of) == ([], [])
    assert found.messages.taken > len(found.orders)


def test_without_faults_all_is_sold_and_nothing_more() -> None:
    found = simulate(1, _run(faulty=False))
    _adds_up(found)
    assert found.orders.count(ordering.ORDER_STATUS_CONFIRMED) == STOCK // PIECES


@pytest.mark.parametrize("seed", range(12))
def test_under_faults_every_order_ends_and_everything_adds_up(seed: int) -> None:
    found = simulate(seed, _run(faulty=True))
    _adds_up(found)
    assert found.faults
