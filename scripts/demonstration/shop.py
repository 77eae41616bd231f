"""Drives the shop as a client of another team would: over gRPC, with repeated calls where the outcome is unknown."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from commerce.inventory.v1 import inventory_service_pb2 as inventory
from commerce.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from commerce.money.v1.money_pb2 import Money
from commerce.ordering.v1 import ordering_service_pb2 as ordering
from commerce.ordering.v1 import ordering_service_pb2_grpc as ordering_grpc
from treaty.probes import Probe
from treaty.rpc.client import call_traced, channel, until_answered

from scripts.demonstration.invoices import Invoice

_REFUSALS = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)


@dataclass(slots=True)
class Outcome:
    """What became of an invoice. `state` is placed, confirmed, cancelled or refused; C-invoices end as cancels."""

    invoice: Invoice
    order_id: str = ""
    state: str = ""
    reason: str = ""
    trace: str = ""


@dataclass(slots=True)
class Shop:
    """A client of Ordering and Inventory. `commands` counts calls that were answered, in `seconds` of placing."""

    ordering_address: str
    inventory_address: str
    probe: Probe
    concurrency: int = 8
    commands: int = 0
    seconds: float = 0.0
    traced: int = 200
    _channels: list[Any] = field(default_factory=list)
    _ordering: Any = None
    _inventory: Any = None

    async def __aenter__(self) -> "Shop":
        self._channels = [channel(self.ordering_address), channel(self.inventory_address)]
        self._ordering = ordering_grpc.OrderingServiceStub(self._channels[0])
        self._inventory = inventory_grpc.InventoryServiceStub(self._channels[1])
        return self

    async def __aexit__(self, *error: object) -> None:
        for open_channel in self._channels:
            await open_channel.close()

    async def stock(self, descriptions: dict[str, str], pieces: int) -> None:
        """Sees to it that so many pieces of every SKU are available."""
        slots = asyncio.Semaphore(self.concurrency)

        async def one(sku: str, description: str) -> None:
            async with slots:
                await self._stock_one(sku, description, pieces)

        async with asyncio.TaskGroup() as group:
            for sku, description in descriptions.items():
                group.create_task(one(sku, description))

    async def _stock_one(self, sku: str, description: str, pieces: int) -> None:
        register = inventory.RegisterItemRequest(request_id=_id(), sku=sku, description=description)
        try:
            item = (await self._call(self._inventory.RegisterItem, "RegisterItem", register)).item
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
            known = inventory.GetStockRequest(sku=sku)
            item = (await self._call(self._inventory.GetStock, "GetStock", known)).item
        missing = pieces - item.available
        if missing > 0:
            receive = inventory.ReceiveStockRequest(request_id=_id(), sku=sku, quantity=missing)
            await self._call(self._inventory.ReceiveStock, "ReceiveStock", receive)
        elif missing < 0:
            adjust = inventory.AdjustStockRequest(request_id=_id(), sku=sku, delta=missing, reason="the demo starts")
            await self._call(self._inventory.AdjustStock, "AdjustStock", adjust)

    async def run(self, invoices: Sequence[Invoice], done: Callable[[], None]) -> list[Outcome]:
        """Places and cancels; the invoices of one customer in their order, those of different ones side by side."""
        outcomes = [Outcome(invoice) for invoice in invoices]
        by_customer: dict[str, list[Outcome]] = {}
        for index, outcome in enumerate(outcomes):
            by_customer.setdefault(outcome.invoice.customer or f"guest {index}", []).append(outcome)
        slots = asyncio.Semaphore(self.concurrency)
        started, before = time.perf_counter(), self.commands

        async def one_customer(mine: list[Outcome]) -> None:
            for index, outcome in enumerate(mine):
                async with slots:
                    await (self._cancel(outcome, mine[:index]) if outcome.invoice.cancels else self._place(outcome))
                done()

        async with asyncio.TaskGroup() as group:
            for mine in by_customer.values():
                group.create_task(one_customer(mine))
        self.seconds = time.perf_counter() - started
        self.commands -= before
        return outcomes

    async def follow(self, outcome: Outcome) -> bool:
        """Looks how an order stands; tells whether it has come to its end."""
        if outcome.state != "placed":
            return True
        found = await self._call(
            self._ordering.GetOrder, "GetOrder", ordering.GetOrderRequest(order_id=outcome.order_id), counted=False
        )
        if found.order.status == ordering.ORDER_STATUS_PENDING:
            return False
        confirmed = found.order.status == ordering.ORDER_STATUS_CONFIRMED
        outcome.state, outcome.reason = ("confirmed", "") if confirmed else ("cancelled", found.order.reason)
        return True

    async def _place(self, outcome: Outcome) -> None:
        invoice = outcome.invoice
        outcome.order_id = _id()
        request = ordering.PlaceOrderRequest(
            request_id=outcome.order_id,
            customer_id=invoice.customer,
            lines=[
                ordering.OrderLine(sku=sku, quantity=item.quantity, unit_price=_pounds(item.pence))
                for sku, item in invoice.items.items()
            ],
        )
        try:
            await self._call(self._ordering.PlaceOrder, "PlaceOrder", request, outcome)
            outcome.state = "placed"
        except grpc.aio.AioRpcError as error:
            self._refused(outcome, error)

    async def _cancel(self, outcome: Outcome, earlier: Sequence[Outcome]) -> None:
        """Cancels the customer's latest earlier order with these items."""
        order = next((o for o in reversed(earlier) if o.state == "placed" and o.invoice.covers(outcome.invoice)), None)
        if order is None or not outcome.invoice.customer:
            outcome.state, outcome.reason = "refused", "the customer has no earlier order with these items"
            return
        request = ordering.CancelOrderRequest(
            request_id=_id(), order_id=order.order_id, reason=f"cancelled by invoice {outcome.invoice.number}"
        )
        try:
            await self._call(self._ordering.CancelOrder, "CancelOrder", request, outcome)
            outcome.state, outcome.reason = "cancels", f"invoice {order.invoice.number}"
            await self.follow(order)
        except grpc.aio.AioRpcError as error:
            self._refused(outcome, error)

    def _refused(self, outcome: Outcome, error: grpc.aio.AioRpcError) -> None:
        if error.code() not in _REFUSALS:
            raise error
        outcome.state, outcome.reason = "refused", error.details() or error.code().name

    async def _call(
        self,
        method: Callable[..., Awaitable[Any]],
        name: str,
        request: Any,
        outcome: Outcome | None = None,
        *,
        counted: bool = True,
    ) -> Any:
        service = (
            "commerce.inventory.v1.InventoryService"
            if "Stock" in name or "Item" in name
            else ("commerce.ordering.v1.OrderingService")
        )
        traced = outcome is not None and self.traced > 0
        self.traced -= traced
        parent = new_trace(sampled=traced)
        if outcome is not None and traced:
            outcome.trace = parent.split("-")[1]
        path = f"{service}/{name}"
        answer = await until_answered(
            lambda: call_traced(self.probe, method, path, request, timeout=10.0, parent=parent)
        )
        self.commands += counted
        return answer


def new_trace(*, sampled: bool) -> str:
    """Returns the traceparent of a new trace; only a sampled one is recorded by whoever gets it."""
    return f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-{'01' if sampled else '00'}"


def _id() -> str:
    return str(uuid.uuid4())


def _pounds(pence: int) -> Money:
    return Money(minor_units=pence, currency="GBP")
