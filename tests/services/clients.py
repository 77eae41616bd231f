"""gRPC clients of the three contexts, and what a test wants to know of a refusal."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import grpc
from commerce.inventory.v1 import inventory_service_pb2 as inventory_pb
from commerce.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from commerce.money.v1.money_pb2 import Money
from commerce.ordering.v1 import ordering_service_pb2 as ordering_pb
from commerce.ordering.v1.ordering_service_pb2_grpc import OrderingServiceStub
from commerce.payments.v1 import payments_service_pb2 as payments_pb
from commerce.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from treaty.testing import eventually
from treaty.testing.world import SeededIds, World

TIMEOUT = 20.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status as a client sees it."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    retry_seconds: int = 0


async def refusal(call: Awaitable[Any]) -> Refusal:
    """Makes a call that is refused, and returns how."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return _refusal(error)
    raise AssertionError(f"it was answered: {answer}")


def _refusal(error: grpc.aio.AioRpcError) -> Refusal:
    status = rpc_status.from_call(error)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details if status else ():
        for kind in (info, bad, retry):
            detail.Unpack(kind)
    fields = {violation.field: violation.description for violation in bad.field_violations}
    return Refusal(error.code(), error.details(), info.reason, info.domain, fields, retry.retry_delay.seconds)


def money(minor_units: int, currency: str = "GBP") -> Money:
    return Money(minor_units=minor_units, currency=currency)


def line(sku: str = "tea", quantity: int = 1, price: int = 100, currency: str = "GBP") -> ordering_pb.OrderLine:
    return ordering_pb.OrderLine(sku=sku, quantity=quantity, unit_price=money(price, currency))


class Shop:
    """What clients of the running contexts do."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ids = SeededIds("requests")
        self.ordering: Any = OrderingServiceStub(world.channel)
        self.inventory: Any = InventoryServiceStub(world.channel)
        self.payments: Any = PaymentsServiceStub(world.channel)

    async def stock(self, sku: str, quantity: int) -> None:
        """Registers an item and receives pieces."""
        register = inventory_pb.RegisterItemRequest(request_id=self.ids.new(), sku=sku)
        await self.inventory.RegisterItem(register, timeout=TIMEOUT)
        receive = inventory_pb.ReceiveStockRequest(request_id=self.ids.new(), sku=sku, quantity=quantity)
        await self.inventory.ReceiveStock(receive, timeout=TIMEOUT)

    def order(self, *lines: Any, request_id: str = "", customer: str = "ann") -> ordering_pb.PlaceOrderRequest:
        return ordering_pb.PlaceOrderRequest(
            request_id=request_id or self.ids.new(), customer_id=customer, lines=lines or [line()]
        )

    async def place(self, request: ordering_pb.PlaceOrderRequest) -> Any:
        return await self.ordering.PlaceOrder(request, timeout=TIMEOUT)

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
