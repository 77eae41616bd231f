"""Acts as the customers of the shop: they place orders, cancel some, and return some."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from commerce.ordering.v1 import ordering_service_pb2 as ordering

from scripts.lib.demo.calls import Clients, new_id, new_trace, reason_of
from scripts.lib.demo.invoices import Invoice
from scripts.lib.demo.setup import pounds

_REFUSALS = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
_TOO_LATE = ("ORDER_DISPATCHED", "ORDER_COMPLETED")
_TRICKY_CODES = {"07": "RTS", "11": "EXC", "13": "ODD", "17": "TWC", "19": "BSY"}
"""Postal codes at which the carrier has trouble, by the last two digits of an invoice.

In this order: the carrier returns the parcel, reports an exception, reports an unknown status, reports everything
twice, or is busy at first.
"""


@dataclass(slots=True)
class Outcome:
    """The outcome of an invoice.

    `state` of an order is placed, delivered, cancelled or refused. `state` of a cancellation is cancels, returns (the
    goods had left already) or refused. `repriced` is set if a price had changed and the customer accepted the new one.
    """

    invoice: Invoice
    order_id: str = ""
    state: str = ""
    reason: str = ""
    trace: str = ""
    repriced: bool = False
    order: Any = None


@dataclass(slots=True)
class Shop:
    """The customers. `seconds` is the time that they needed to place and cancel all orders; the first `traced` calls
    are traced."""

    clients: Clients
    concurrency: int = 8
    seconds: float = 0.0
    commands: int = 0
    traced: int = 10
    returns: dict[str, Outcome] = field(default_factory=dict)

    async def run(self, invoices: Sequence[Invoice], done: Callable[[], None]) -> list[Outcome]:
        """Places and cancels orders: for one customer one after another, for different customers concurrently."""
        outcomes = [Outcome(invoice) for invoice in invoices]
        by_customer: dict[str, list[Outcome]] = {}
        for index, outcome in enumerate(outcomes):
            by_customer.setdefault(outcome.invoice.customer or f"guest {index}", []).append(outcome)
        slots = asyncio.Semaphore(self.concurrency)
        started, before = time.perf_counter(), self.clients.commands

        async def one_customer(mine: list[Outcome]) -> None:
            for index, outcome in enumerate(mine):
                async with slots:
                    await (self._cancel(outcome, mine[:index]) if outcome.invoice.cancels else self._place(outcome))
                done()

        async with asyncio.TaskGroup() as group:
            for mine in by_customer.values():
                group.create_task(one_customer(mine))
        self.seconds = time.perf_counter() - started
        self.commands = self.clients.commands - before
        return outcomes

    async def follow(self, outcome: Outcome) -> None:
        """Updates the outcome of an order that has not ended yet."""
        if outcome.state != "placed":
            return
        request = ordering.GetOrderRequest(order_id=outcome.order_id)
        outcome.order = (await self.clients.ask("ordering", "GetOrder", request, counted=False)).order
        if outcome.order.status == ordering.ORDER_STATUS_COMPLETED:
            outcome.state = "delivered"
        elif outcome.order.status == ordering.ORDER_STATUS_CANCELLED:
            outcome.state, outcome.reason = "cancelled", outcome.order.reason

    async def send_back(self, outcome: Outcome) -> str:
        """Sends a whole order back: requests the return, and reports its arrival. Returns the return's id."""
        request = ordering.RequestReturnRequest(
            request_id=new_id(), order_id=outcome.order_id, reason="changed my mind"
        )
        order = (await self.clients.ask("ordering", "RequestReturn", request)).order
        return_id = str(order.returns[-1].return_id)
        arrived = ordering.ReceiveReturnRequest(request_id=new_id(), order_id=outcome.order_id, return_id=return_id)
        await self.clients.ask("ordering", "ReceiveReturn", arrived)
        self.returns[return_id] = outcome
        return return_id

    async def refresh(self, outcome: Outcome) -> None:
        """Reads an order again, with its returns."""
        request = ordering.GetOrderRequest(order_id=outcome.order_id)
        outcome.order = (await self.clients.ask("ordering", "GetOrder", request, counted=False)).order

    async def _place(self, outcome: Outcome) -> None:
        trace = self._trace(outcome)
        try:
            await self._order(outcome, {}, trace)
        except grpc.aio.AioRpcError as error:
            reason, prices = reason_of(error)
            if reason != "PRICE_CHANGED":
                self._refused(outcome, error)
                return
            await self._order_again(outcome, {sku: int(price) for sku, price in prices.items()}, trace)

    async def _order_again(self, outcome: Outcome, prices: Mapping[str, int], trace: str) -> None:
        """Places the order again, at the current prices."""
        outcome.repriced = True
        try:
            await self._order(outcome, prices, trace)
        except grpc.aio.AioRpcError as error:
            self._refused(outcome, error)

    async def _order(self, outcome: Outcome, prices: Mapping[str, int], trace: str) -> None:
        invoice, outcome.order_id = outcome.invoice, new_id()
        request = ordering.PlaceOrderRequest(
            request_id=outcome.order_id,
            customer_id=invoice.customer,
            lines=[
                ordering.OrderLine(sku=sku, quantity=item.quantity, unit_price=pounds(prices.get(sku, item.pence)))
                for sku, item in invoice.items.items()
            ],
            address=_address(invoice),
        )
        await self.clients.ask("ordering", "PlaceOrder", request, trace=trace)
        outcome.state = "placed"

    async def _cancel(self, outcome: Outcome, earlier: Sequence[Outcome]) -> None:
        """Cancels the customer's latest earlier order with these items; an order that has left is returned later."""
        order = next((o for o in reversed(earlier) if o.state == "placed" and o.invoice.covers(outcome.invoice)), None)
        if order is None or not outcome.invoice.customer:
            outcome.state, outcome.reason = "refused", "the customer has no earlier order with these items"
            return
        outcome.order_id = order.order_id
        request = ordering.CancelOrderRequest(
            request_id=new_id(), order_id=order.order_id, reason=f"cancelled by invoice {outcome.invoice.number}"
        )
        try:
            await self.clients.ask("ordering", "CancelOrder", request, trace=self._trace(outcome))
            outcome.state, outcome.reason = "cancels", f"invoice {order.invoice.number}"
        except grpc.aio.AioRpcError as error:
            if reason_of(error)[0] in _TOO_LATE:
                outcome.state, outcome.reason = "returns", f"invoice {order.invoice.number}"
            else:
                self._refused(outcome, error)

    def _trace(self, outcome: Outcome) -> str:
        sampled = self.traced > 0
        self.traced -= sampled
        trace = new_trace(sampled=sampled)
        outcome.trace = trace.split("-")[1] if sampled else ""
        return trace

    @staticmethod
    def _refused(outcome: Outcome, error: grpc.aio.AioRpcError) -> None:
        if error.code() not in _REFUSALS:
            raise error
        outcome.state, outcome.reason = "refused", error.details() or error.code().name


def _address(invoice: Invoice) -> ordering.Address:
    code = _TRICKY_CODES.get(invoice.number[-2:], "")
    return ordering.Address(
        name=f"Customer {invoice.customer or 'guest'}",
        line1="1 High Street",
        city="Anytown",
        postal_code=f"AB1 {code}".strip(),
        country=invoice.country,
    )
