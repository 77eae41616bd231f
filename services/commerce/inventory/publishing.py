"""Inventory's domain events as integration events."""

from collections.abc import Iterator, Sequence

from commerce.inventory.v1 import inventory_events_pb2 as events
from treaty.effects import Message

from services.commerce.inventory.domain import (
    AllocatedLine,
    Allocation,
    AllocationCancelled,
    AllocationEvent,
    AllocationRequested,
    ItemRegistered,
    OrderAllocated,
    OrderNotAllocated,
    OrderReleased,
    StockAdjusted,
    StockEvent,
    StockFreed,
    StockItem,
    StockReceived,
    StockReserved,
)


def publish_stock(item: StockItem, event: StockEvent) -> Iterator[Message]:
    """Policy: announces every change of a stock level."""
    match event:
        case ItemRegistered():
            return
        case StockReceived() | StockAdjusted() | StockReserved() | StockFreed():
            yield events.StockLevelChanged(
                warehouse=item.warehouse, sku=item.sku, on_hand=item.on_hand, reserved=item.reserved
            )


def publish_allocation(allocation: Allocation, event: AllocationEvent) -> Iterator[Message]:
    """Policy: announces how an allocation ended."""
    match event:
        case AllocationRequested() | AllocationCancelled():
            return
        case OrderAllocated():
            yield events.StockAllocated(order_id=allocation.id, lines=_lines(allocation.lines))
        case OrderNotAllocated():
            yield events.AllocationRefused(order_id=allocation.id, sku=event.sku, reason=event.reason)
        case OrderReleased():
            yield events.AllocationReleased(order_id=allocation.id, lines=_lines(event.lines))


def _lines(lines: Sequence[AllocatedLine]) -> list[events.AllocatedLine]:
    return [events.AllocatedLine(sku=line.sku, warehouse=line.warehouse, quantity=line.quantity) for line in lines]
