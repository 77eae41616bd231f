"""The use cases of allocations, with their commands. A use case changes several aggregates.

A use case makes several commits. Each commit is a step. Its id is derived from the message or call that started the use
case, or from the order or return (see `_once`). The message is acknowledged, or the call is answered, only after the
last step. After a crash in between, the use case runs again, and the steps that were done before return their first
results.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from treaty.causes import Cause, current_cause, step
from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.domain import Call, DomainError, NotFound
from treaty.projections import View

from services.commerce.inventory.domain.allocations import Allocation, Status
from services.commerce.inventory.domain.events import AllocationEvent, OrderAllocated
from services.commerce.inventory.domain.plans import plan
from services.commerce.inventory.domain.stock import StockItem
from services.commerce.inventory.domain.values import DEFAULT_WAREHOUSE, AllocatedLine, Lines, stock_id
from services.commerce.inventory.projections import StockRow


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocateOrder:
    """`pieces` has the quantity of each SKU."""

    order_id: str
    pieces: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureOrder:
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfilOrder:
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOrder:
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireAllocation:
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    order_id: str
    return_id: str
    pieces: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocations:
    """The use cases of allocations. `held` is the time for which pieces are held for an order that is not confirmed."""

    items: Repository[StockItem]
    allocations: Repository[Allocation]
    stock_rows: View[StockRow]
    clock: Clock
    held: timedelta

    async def allocate_order(self, command: AllocateOrder) -> None:
        """Reserves all lines of an order, or none."""
        planned = await self._planned(command.pieces)
        requested = await self.allocations.add(
            command.order_id, lambda allocation: allocation.request(planned), cause=step("request")
        )
        if requested.state.status is not Status.REQUESTED:
            return
        lines = requested.state.lines
        refusals = await asyncio.gather(*(self._reserve(command.order_id, line) for line in lines))
        refused = next(((line, r) for line, r in zip(lines, refusals, strict=True) if r is not None), None)
        if refused is None:
            until = self.clock.now() + self.held
            completed = await self.allocations.change(
                command.order_id, lambda a: a.complete(until, self.held), cause=step("complete")
            )
            await self._give_out(completed.state)
            return
        reserved = [line for line, refusal in zip(lines, refusals, strict=True) if refusal is None]
        await self._free(command.order_id, reserved)
        line, refusal = refused
        await self.allocations.change(
            command.order_id, lambda allocation: allocation.refuse(line.sku, refusal.message), cause=step("refuse")
        )

    async def secure_order(self, command: SecureOrder) -> Committed[Allocation]:
        """Holds the pieces of a confirmed order without a time limit."""
        return await self.allocations.add(command.order_id, Allocation.confirm)

    async def release_order(self, command: ReleaseOrder) -> None:
        """Frees all pieces that are reserved for a cancelled order."""
        cancelled = await self.allocations.add(command.order_id, Allocation.cancel, cause=step("cancel"))
        await self._finish_release(cancelled.state)

    async def expire_allocation(self, command: ExpireAllocation) -> None:
        """Frees all pieces that are reserved for an order that was not confirmed in time."""
        expired = await self.allocations.change(command.order_id, Allocation.expire, cause=step("expire"))
        await self._finish_release(expired.state)

    async def fulfil_order(self, command: FulfilOrder) -> None:
        """Removes the pieces of a delivered order from the stock.

        The allocation is changed first. So an expiry or a cancellation at the same time frees nothing, because the
        allocation is fulfilled already.
        """
        fulfilled = await self.allocations.add(command.order_id, Allocation.fulfil, cause=step("fulfil"))
        await self._give_out(fulfilled.state)

    async def take_back(self, command: TakeBack) -> Committed[Allocation]:
        """Puts returned pieces of a delivered order back into the warehouses they came from, once for each return."""
        taken = await self.allocations.change(
            command.order_id, lambda allocation: allocation.take_back(command.return_id, command.pieces)
        )
        known = taken.state.returned_as(command.return_id)
        lines = known.lines if known else ()
        await asyncio.gather(*(self._take_back(command, line) for line in lines))
        return taken

    async def get_allocation(self, order_id: str) -> Committed[Allocation]:
        """Returns the allocation of an order.

        Raises:
            NotFound: if there is no allocation, or no stock was requested for the order yet.
        """
        found = await self.allocations.get(order_id)
        if found.state.status is Status.NEW:
            raise NotFound(f"no stock was requested for order {order_id} yet")
        return found

    async def _planned(self, pieces: Mapping[str, int]) -> Lines:
        """Chooses warehouses for the pieces. Other warehouses are looked at only if the default one has too few.

        The read model may be out of date, so only the reservation decides whether there are enough pieces.
        """
        main = await self.stock_rows.rows([stock_id(DEFAULT_WAREHOUSE, sku) for sku in pieces])
        shelves = {row.sku: {row.warehouse: row.available} for row in main.values()}
        if any(sum(shelves.get(sku, {}).values()) < quantity for sku, quantity in pieces.items()):
            found = await asyncio.gather(*(self.stock_rows.every({"sku": sku}) for sku in pieces))
            shelves = {
                sku: {row.warehouse: row.available for row in rows} for sku, rows in zip(pieces, found, strict=True)
            }
        return plan(pieces, shelves)

    async def _reserve(self, order_id: str, line: AllocatedLine) -> DomainError | None:
        """Reserves one line. Returns the refusal, or None if the line is reserved."""
        try:
            once = _once("reserve", order_id)
            today = self.clock.now().date().isoformat()
            await self.items.change(
                line.stock_id, lambda item: item.reserve(order_id, line.quantity, today), cause=once
            )
        except DomainError as refusal:
            return refusal
        return None

    async def _finish_release(self, allocation: Allocation) -> None:
        if allocation.status is Status.CANCELLED:
            await self._free(allocation.id, allocation.lines)
            once = _once("release", allocation.id)
            await self.allocations.change(allocation.id, Allocation.release, cause=once)

    async def _free(self, order_id: str, lines: Sequence[AllocatedLine]) -> None:
        await asyncio.gather(*(self._free_line(order_id, line) for line in lines))

    async def _free_line(self, order_id: str, line: AllocatedLine) -> None:
        once = _once("free", order_id)
        await self.items.change(line.stock_id, lambda item: item.free(order_id, line.quantity), cause=once)

    async def _give_out(self, allocation: Allocation) -> None:
        """Removes the pieces of a fulfilled allocation from the stock.

        The event of the completed order may arrive before its pieces are allocated. Then they leave right after that.
        """
        if allocation.status is Status.FULFILLED:
            await asyncio.gather(*(self._ship(allocation.id, line) for line in allocation.lines))

    async def _ship(self, order_id: str, line: AllocatedLine) -> None:
        once = _once("ship", order_id)
        await self.items.change(line.stock_id, lambda item: item.ship(order_id, line.quantity), cause=once)

    async def _take_back(self, command: TakeBack, line: AllocatedLine) -> None:
        await self.items.change(
            line.stock_id,
            lambda item: item.take_back(command.order_id, command.return_id, line.quantity),
            cause=_once("return", f"{command.order_id}/{command.return_id}"),
        )


def _once(step: str, id: str) -> Cause:
    """Returns a cause with the id of the order or return, not of the message, timer or request.

    So a step is done only once, even if another message, timer or request asks for it.
    """
    return replace(current_cause(), id=f"{step}/{id}", digest="", durable=True)


def expire(allocation: Allocation, event: AllocationEvent) -> Iterator[Call]:
    """Policy: sets the expiry of an allocation. It frees the pieces if the order is not confirmed in time."""
    match event:
        case OrderAllocated() if event.held is not None:
            yield Call(ExpireAllocation(order_id=allocation.id), after=event.held)
        case _:
            return
