"""What Inventory can do."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from treaty.causes import step
from treaty.deciding import Committed
from treaty.domain import DomainError
from treaty.repository import Repository

from services.commerce.inventory.domain import AllocatedLine, Allocation, Status, StockItem, stock_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterItem:
    warehouse: str
    sku: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveStock:
    warehouse: str
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustStock:
    warehouse: str
    sku: str
    delta: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocateOrder:
    order_id: str
    lines: Sequence[AllocatedLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOrder:
    order_id: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """The use cases of Inventory.

    Allocating and releasing touch several aggregates, so they are several commits. Each is a step under the id of the
    message that asked for it, and that message is acknowledged after the last: a crash in between repeats it, and the
    steps that were done before give their first answers.
    """

    items: Repository[StockItem]
    allocations: Repository[Allocation]

    async def register_item(self, command: RegisterItem) -> Committed[StockItem]:
        """Registers a SKU in a warehouse."""
        return await self.items.add(
            stock_id(command.warehouse, command.sku),
            lambda item: item.register(warehouse=command.warehouse, sku=command.sku, description=command.description),
        )

    async def receive_stock(self, command: ReceiveStock) -> Committed[StockItem]:
        """Adds pieces that came in."""
        id = stock_id(command.warehouse, command.sku)
        return await self.items.change(id, lambda item: item.receive(command.quantity))

    async def adjust_stock(self, command: AdjustStock) -> Committed[StockItem]:
        """Corrects the pieces on hand."""
        id = stock_id(command.warehouse, command.sku)
        return await self.items.change(id, lambda item: item.adjust(command.delta, command.reason))

    async def get_stock(self, warehouse: str, sku: str) -> Committed[StockItem]:
        """Returns one stock item."""
        return await self.items.get(stock_id(warehouse, sku))

    async def allocate_order(self, command: AllocateOrder) -> None:
        """Reserves every line of an order, or none."""
        requested = await self.allocations.add(
            command.order_id, lambda allocation: allocation.request(command.lines), cause=step("request")
        )
        if requested.state.status is not Status.REQUESTED:
            return
        lines = requested.state.lines
        refusals = await asyncio.gather(*(self._reserve(command.order_id, line) for line in lines))
        refused = next(((line, r) for line, r in zip(lines, refusals, strict=True) if r is not None), None)
        if refused is None:
            await self.allocations.change(command.order_id, Allocation.complete, cause=step("complete"))
            return
        reserved = [line for line, refusal in zip(lines, refusals, strict=True) if refusal is None]
        await self._free(command.order_id, reserved)
        line, refusal = refused
        await self.allocations.change(
            command.order_id, lambda allocation: allocation.refuse(line.sku, refusal.message), cause=step("refuse")
        )

    async def release_order(self, command: ReleaseOrder) -> None:
        """Frees whatever is reserved for an order that was cancelled."""
        cancelled = await self.allocations.add(command.order_id, Allocation.cancel, cause=step("cancel"))
        lines = cancelled.state.to_free
        if lines:
            await self._free(command.order_id, lines)
            await self.allocations.change(command.order_id, Allocation.release, cause=step("release"))

    async def _reserve(self, order_id: str, line: AllocatedLine) -> DomainError | None:
        """Reserves one line; returns why it could not be."""
        try:
            await self.items.change(
                line.stock_id, lambda item: item.reserve(order_id, line.quantity), cause=step("reserve")
            )
        except DomainError as refusal:
            return refusal
        return None

    async def _free(self, order_id: str, lines: Sequence[AllocatedLine]) -> None:
        await asyncio.gather(*(self._free_line(order_id, line) for line in lines))

    async def _free_line(self, order_id: str, line: AllocatedLine) -> None:
        await self.items.change(line.stock_id, lambda item: item.free(order_id, line.quantity), cause=step("free"))
