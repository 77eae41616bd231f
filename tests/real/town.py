"""The shop as processes on the real servers, and a subscriber that keeps every event it publishes."""

import asyncio
import os
import signal
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aio_pika
from commerce.catalog.v1 import catalog_events_pb2 as catalog
from commerce.inventory.v1 import inventory_service_pb2 as inventory
from commerce.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from commerce.money.v1.money_pb2 import Money
from commerce.ordering.v1 import ordering_service_pb2 as ordering
from commerce.ordering.v1 import ordering_service_pb2_grpc as ordering_grpc
from commerce.payments.v1 import payments_service_pb2 as payments
from commerce.payments.v1 import payments_service_pb2_grpc as payments_grpc
from treaty.chance import RandomIds
from treaty.commits.log import Place
from treaty.messaging.broker import exchange_of
from treaty.messaging.envelope import Envelope, parse
from treaty.mongo.driver import close, connect, database
from treaty.mongo.stores import MongoStores
from treaty.operations.backlog import Backlog, backlog
from treaty.rabbit.broker import RabbitBroker
from treaty.rpc.client import channel, until_answered
from treaty.service.contexts import load_context
from treaty.service.ports import Ports
from treaty.surroundings import Surroundings
from treaty.testing import while_moving

from scripts.lib.databases import temporary
from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import process, service
from tests.services.clients import ADDRESS, SHIPPING, told

CONTEXTS = ("commerce.ordering", "commerce.inventory", "commerce.payments")


@dataclass(slots=True)
class Town:
    """Three service processes, a gateway, and a client of each service. The catalogue is told by hand."""

    environ: Mapping[str, str]
    logs: Path
    ports: Mapping[str, int]
    client: Any
    broker: RabbitBroker
    stores: Mapping[str, MongoStores]
    events: list[Envelope] = field(default_factory=list)
    _running: dict[str, AsyncExitStack] = field(default_factory=dict)
    _pids: dict[str, int] = field(default_factory=dict)
    _channels: dict[str, Any] = field(default_factory=dict)

    async def start(self, name: str) -> None:
        stack = self._running[name] = AsyncExitStack()
        own = {**self.environ, "GRPC_PORT": str(self.ports[name]), "GRPC_HOST": "127.0.0.1"}
        run = service(name, ["-m", "treaty.cli", "run", name], own, self.logs, f"127.0.0.1:{self.ports[name]}")
        self._pids[name] = await stack.enter_async_context(run)

    async def kill(self, name: str) -> None:
        """Ends a service as a power cut would."""
        os.kill(self._pids[name], signal.SIGKILL)
        await self._running.pop(name).aclose()

    async def stop(self) -> None:
        for open_channel in self._channels.values():
            await open_channel.close()
        for stack in self._running.values():
            await stack.aclose()

    def channel(self, name: str) -> Any:
        if name not in self._channels:
            self._channels[name] = channel(f"127.0.0.1:{self.ports[name]}")
        return self._channels[name]

    async def place(self, order: "Order") -> ordering.PlaceOrderResponse:
        stub = ordering_grpc.OrderingServiceStub(self.channel("commerce.ordering"))
        return await until_answered(lambda: stub.PlaceOrder(order.request, timeout=5), attempts=100)

    async def cancel(self, request: ordering.CancelOrderRequest) -> ordering.CancelOrderResponse:
        stub = ordering_grpc.OrderingServiceStub(self.channel("commerce.ordering"))
        return await until_answered(lambda: stub.CancelOrder(request, timeout=5), attempts=100)

    async def order(self, order_id: str) -> ordering.Order:
        stub = ordering_grpc.OrderingServiceStub(self.channel("commerce.ordering"))
        request = ordering.GetOrderRequest(order_id=order_id)
        found: ordering.GetOrderResponse = await until_answered(lambda: stub.GetOrder(request, timeout=5), attempts=100)
        return found.order

    async def payment(self, order_id: str) -> payments.Payment:
        stub = payments_grpc.PaymentsServiceStub(self.channel("commerce.payments"))
        request = payments.GetPaymentRequest(order_id=order_id)
        found: payments.GetPaymentResponse = await until_answered(
            lambda: stub.GetPayment(request, timeout=5), attempts=100
        )
        return found.payment

    async def stock(self, sku: str, pieces: int, pence: int = 100) -> None:
        """Lets a product be heard of, as the catalogue would tell it, and receives pieces of it."""
        event = catalog.ProductCreated(sku=sku, name=sku, list_price=Money(minor_units=pence, currency="GBP"))
        await self.broker.publish(exchange_of("commerce.catalog"), told(sku, event, new_id()))
        await self.eventually(partial(self._is_offered, sku))
        stub = inventory_grpc.InventoryServiceStub(self.channel("commerce.inventory"))
        await stub.RegisterItem(inventory.RegisterItemRequest(request_id=new_id(), sku=sku), timeout=5)
        await self.receive(inventory.ReceiveStockRequest(request_id=new_id(), sku=sku, quantity=pieces))

    async def _is_offered(self, sku: str) -> bool:
        stub = ordering_grpc.OrderingServiceStub(self.channel("commerce.ordering"))
        found = await stub.SearchOffers(ordering.SearchOffersRequest(text=sku), timeout=5)
        return bool(found.offers)

    async def receive(self, request: inventory.ReceiveStockRequest) -> inventory.ReceiveStockResponse:
        stub = inventory_grpc.InventoryServiceStub(self.channel("commerce.inventory"))
        return await until_answered(lambda: stub.ReceiveStock(request, timeout=5), attempts=100)

    async def item(self, sku: str) -> inventory.StockItem:
        stub = inventory_grpc.InventoryServiceStub(self.channel("commerce.inventory"))
        found: inventory.GetStockResponse = await stub.GetStock(inventory.GetStockRequest(sku=sku), timeout=5)
        return found.item

    async def settled(self, orders: Iterable["Order"]) -> None:
        """Waits until no order is pending and nothing is left to do anywhere."""
        for order in orders:
            await self.eventually(partial(self._has_ended, order.id))
        try:
            await self.eventually(self._is_idle)
        except AssertionError as late:
            parked = {name: await self.stores[name].pending.find(20) for name in CONTEXTS}
            places = {name: await self.stores[name].checkpoints.load() for name in CONTEXTS}
            raise AssertionError(f"{late}; parked: {parked}; checkpoints: {places}") from late
        expected = await self.events_committed()
        await self.eventually(lambda: expected <= {(e.producer, e.id) for e in self.events})

    async def eventually(self, condition: Callable[[], Any]) -> Any:
        """Returns the first true value of a condition, and waits for it as long as the shop makes progress."""
        return await while_moving(condition, self.progress)

    async def progress(self) -> object:
        """Returns a value that changes while a context does anything, or an event arrives."""
        commits = {name: (await self.stores[name].log.behind(Place())).commits for name in CONTEXTS}
        return commits, {name: await self._backlog(name) for name in CONTEXTS}, len(self.events)

    async def _has_ended(self, order_id: str) -> bool:
        return (await self.order(order_id)).status != ordering.ORDER_STATUS_PENDING

    async def _is_idle(self) -> bool:
        for _ in range(3):
            if not all([(await self._backlog(name)).empty for name in CONTEXTS]):
                return False
            await asyncio.sleep(0.2)
        return True

    async def _backlog(self, name: str) -> Backlog:
        ports = Ports(stores=self.stores[name], surroundings=Surroundings())
        return await backlog(load_context(name)(ports), self.stores[name], self.broker, 4)

    async def events_committed(self) -> set[tuple[str, str]]:
        """Returns (context, event id) of every integration event in the logs."""
        found = set()
        for name in CONTEXTS:
            commits = database(self.client, name).get_collection("commits")
            async for commit in commits.find({}, {"stream": 1, "version": 1, "outbox.type": 1}):
                for n in range(len(commit["outbox"])):
                    found.add((name, f"{commit['stream']}@{commit['version']}#{n + 1}"))
        return found

    def events_by_source(self) -> Mapping[str, list[Envelope]]:
        """Returns the events as they came, without later copies, by the stream they are of."""
        by_source: dict[str, list[Envelope]] = defaultdict(list)
        for event in self.events:
            if all(event.id != known.id for known in by_source[event.source]):
                by_source[event.source].append(event)
        return by_source


@dataclass(frozen=True, slots=True)
class Order:
    """One order for some pieces of one SKU each, and the request that places it."""

    id: str
    lines: Mapping[str, int]
    pence: int = 100

    @property
    def request(self) -> ordering.PlaceOrderRequest:
        price = Money(minor_units=self.pence, currency="GBP")
        lines = [ordering.OrderLine(sku=sku, quantity=n, unit_price=price) for sku, n in self.lines.items()]
        return ordering.PlaceOrderRequest(request_id=self.id, customer_id="customer-1", lines=lines, address=ADDRESS)

    @property
    def total(self) -> int:
        return self.pence * sum(self.lines.values()) + SHIPPING


def new_id() -> str:
    return str(uuid.uuid4())


@asynccontextmanager
async def town(servers: Mapping[str, str], logs: Path) -> AsyncIterator[Town]:
    """Runs the shop in databases of its own."""
    name = f"t{uuid.uuid4().hex[:10]}"
    uri = servers["MONGODB_URI"].replace("/?", f"/{name}?")
    ports = free_ports(4)
    environ = {
        **os.environ,
        "MONGODB_URI": uri,
        "AMQP_URL": servers["AMQP_URL"],
        "PAYMENTS_GATEWAY": f"127.0.0.1:{ports[3]}",
        "PAYMENTS_GATEWAY_SECONDS": "1.0",
        "TREATY_LEASE_SECONDS": "2",
        "LOG_LEVEL": "warning",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
    }
    client = connect(uri, "motor")
    broker = RabbitBroker(servers["AMQP_URL"], name="town", ids=RandomIds())
    stores = {c: MongoStores(client, c, surroundings=Surroundings()) for c in CONTEXTS}
    shop = Town(environ, logs, dict(zip(CONTEXTS, ports, strict=False)), client, broker, stores)
    gateway = "services.commerce.payments.external.gateway.simulator"
    simulator = ["-m", gateway, "--host", "127.0.0.1", "--port", str(ports[3])]
    async with AsyncExitStack() as stack:
        databases = [f"{name}_{context.replace('.', '_')}" for context in CONTEXTS]
        await stack.enter_async_context(temporary(servers["MONGODB_URI"], databases))
        stack.push_async_callback(close, client)
        stack.push_async_callback(broker.close)
        await stack.enter_async_context(process("gateway", [*simulator, "--late", "2"], environ, logs))
        await stack.enter_async_context(_tap(servers["AMQP_URL"], shop.events))
        stack.push_async_callback(shop.stop)
        await asyncio.gather(*(shop.start(context) for context in CONTEXTS))
        yield shop


@asynccontextmanager
async def _tap(url: str, events: list[Envelope]) -> AsyncIterator[None]:
    """Subscribes to everything, as another team would, with a queue of its own."""
    connection = await aio_pika.connect(url)
    channel_ = await connection.channel()
    queue = await channel_.declare_queue(exclusive=True)
    for name in CONTEXTS:
        exchange = await channel_.declare_exchange(exchange_of(name), aio_pika.ExchangeType.TOPIC, durable=True)
        await queue.bind(exchange, routing_key="#")

    async def keep(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        events.append(parse(message.headers, message.body))

    await queue.consume(keep, no_ack=True)
    try:
        yield
    finally:
        await connection.close()
