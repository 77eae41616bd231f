"""gRPC clients of the contexts, and what a test wants to know of a refusal."""

from typing import Any

import grpc
from commerce.catalog.v1 import catalog_events_pb2 as catalog_events
from commerce.inventory.v1 import inventory_service_pb2 as inventory_pb
from commerce.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from commerce.money.v1.money_pb2 import Money
from commerce.ordering.v1 import ordering_service_pb2 as ordering_pb
from commerce.ordering.v1.ordering_service_pb2_grpc import OrderingServiceStub
from commerce.payments.v1 import payments_service_pb2 as payments_pb
from commerce.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub
from treaty.clock import SystemClock
from treaty.messaging.envelope import Envelope
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT
from treaty.testing.world import SeededIds, World

from services.commerce.money import CURRENCIES, LIMIT
from services.commerce.ordering.storage import OFFER_SEARCH

SHIPPING = 400
"""What the delivery of a small order costs, in minor units; to this address there is no tax."""

ADDRESS = ordering_pb.Address(
    name="Ann Example", line1="1 Main Street", city="Springfield", postal_code="12345", country="US"
)


def money(minor_units: int, currency: str = "GBP") -> Money:
    return Money(minor_units=minor_units, currency=currency)


def line(sku: str = "tea", quantity: int = 1, price: int = 100, currency: str = "GBP") -> ordering_pb.OrderLine:
    return ordering_pb.OrderLine(sku=sku, quantity=quantity, unit_price=money(price, currency))


def told(key: str, event: Any, id: str = "1") -> Envelope:
    """Returns an event of an aggregate, as its producer would announce it."""
    name: str = event.DESCRIPTOR.full_name
    producer = name.rpartition(".")[0].rpartition(".")[0]
    return Envelope(
        id=f"told-{key}@{id}#1",
        type=name,
        source=f"/{producer}/told-{key}",
        subject=key,
        time=SystemClock().now(),
        partition_key=key,
        sequence="000000000001",
        body=event.SerializeToString(),
    )


class Shop:
    """What clients of the running contexts do."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ids = SeededIds("requests")
        self._offered: dict[str, tuple[int, str]] = {}
        self.ordering: Any = OrderingServiceStub(world.channel)
        self.inventory: Any = InventoryServiceStub(world.channel)
        self.payments: Any = PaymentsServiceStub(world.channel)

    async def stock(self, sku: str, quantity: int) -> None:
        """Registers an item and receives pieces."""
        register = inventory_pb.RegisterItemRequest(request_id=self.ids.new(), sku=sku)
        await self.inventory.RegisterItem(register, timeout=TIMEOUT)
        receive = inventory_pb.ReceiveStockRequest(request_id=self.ids.new(), sku=sku, quantity=quantity)
        await self.inventory.ReceiveStock(receive, timeout=TIMEOUT)

    def order(self, *lines: Any, request_id: str = "", customer: str = "ann", **more: Any) -> Any:
        return ordering_pb.PlaceOrderRequest(
            request_id=request_id or self.ids.new(),
            customer_id=customer,
            lines=lines or [line()],
            **{"address": ADDRESS, **more},
        )

    async def place(self, request: ordering_pb.PlaceOrderRequest) -> Any:
        """Places an order; what it asks for is offered at its prices."""
        for one in request.lines:
            await self.offer(one.sku, one.unit_price)
        return await self.ordering.PlaceOrder(request, timeout=TIMEOUT)

    async def offer(self, sku: str, price: Money) -> None:
        """Lets Ordering hear that a product costs so much, as Catalog would tell it."""
        if not sku or self._offered.get(sku) == (price.minor_units, price.currency):
            return
        self.hear("commerce.ordering", sku, catalog_events.ProductCreated(sku=sku, name=sku, list_price=price))
        if price.currency in CURRENCIES and abs(price.minor_units) <= LIMIT:
            await eventually(lambda: self._is_offered(sku, price))
        self._offered[sku] = (price.minor_units, price.currency)

    async def _is_offered(self, sku: str, price: Money) -> bool:
        row = (await self.world.stores["commerce.ordering"].rows(OFFER_SEARCH).load([sku])).get(sku)
        listed = row and row.values and row.values["list_price"]
        return bool(listed and (listed["minor_units"], listed["currency"]) == (price.minor_units, price.currency))

    def hear(self, context: str, key: str, event: Any) -> None:
        """Delivers an event to a context, as its producer would."""
        self.world.broker.deliver(context, told(key, event, self.ids.new()))

    async def cancel(self, order_id: str, *, request_id: str = "") -> Any:
        request = ordering_pb.CancelOrderRequest(request_id=request_id or self.ids.new(), order_id=order_id)
        return await self.ordering.CancelOrder(request, timeout=TIMEOUT)

    async def get(self, order_id: str) -> Any:
        found = await self.ordering.GetOrder(ordering_pb.GetOrderRequest(order_id=order_id), timeout=TIMEOUT)
        return found.order

    async def on_hand(self, sku: str) -> tuple[int, int]:
        """Returns the pieces on hand and reserved."""
        found = await self.inventory.GetStock(inventory_pb.GetStockRequest(sku=sku), timeout=TIMEOUT)
        return found.item.on_hand, found.item.reserved

    async def payment(self, order_id: str) -> Any:
        found = await self.payments.GetPayment(payments_pb.GetPaymentRequest(order_id=order_id), timeout=TIMEOUT)
        return found.payment

    async def ended(self, order_id: str) -> Any:
        """Waits until an order is no longer pending, and returns it."""
        await eventually(lambda: self._is_ended(order_id))
        return await self.get(order_id)

    async def _is_ended(self, order_id: str) -> bool:
        return bool((await self.get(order_id)).status != ordering_pb.ORDER_STATUS_PENDING)

    async def paid(self, order_id: str, status: int) -> Any:
        """Waits until a payment has the status, and returns it."""
        await eventually(lambda: self._has_status(order_id, status))
        return await self.payment(order_id)

    async def _has_status(self, order_id: str, status: int) -> bool:
        try:
            return bool((await self.payment(order_id)).status == status)
        except grpc.aio.AioRpcError:
            return False

    async def settled(self) -> None:
        """Waits until nothing is left to do anywhere."""
        await eventually(self._is_settled)

    async def _is_settled(self) -> bool:
        return await self.world.is_settled()
