"""Translates the domain events of Inventory to integration events."""

from collections.abc import Iterator, Sequence

from commerce.inventory.v1 import inventory_events_pb2 as events
from treaty.rpc import EnumTable

from services.commerce.inventory.domain.allocations import Allocation
from services.commerce.inventory.domain.events import (
    AllocationCancelled,
    AllocationEvent,
    AllocationFulfilled,
    AllocationRequested,
    AllocationSecured,
    ItemDiscontinued,
    ItemManaged,
    ItemRegistered,
    OrderAllocated,
    OrderCompleted,
    OrderConfirmed,
    OrderNotAllocated,
    OrderReleased,
    PiecesReturned,
    ReorderNeeded,
    StockAdjusted,
    StockEvent,
    StockExpired,
    StockFreed,
    StockReceived,
    StockReserved,
    StockReturned,
    StockShipped,
    StockWrittenOff,
)
from services.commerce.inventory.domain.stock import StockItem
from services.commerce.inventory.domain.values import AllocatedLine, Release
from services.commerce.wire import time_to_wire

_REASONS = EnumTable(
    {
        Release.ORDER_CANCELLED: events.RELEASE_REASON_ORDER_CANCELLED,
        Release.EXPIRED: events.RELEASE_REASON_EXPIRED,
    }
)


StockPublished = events.StockLevelChanged | events.AllocationSpoilt | events.ReorderNeeded
"""The integration events of `publish_stock`."""


def publish_stock(item: StockItem, event: StockEvent) -> Iterator[StockPublished]:
    """Policy: announces changed stock levels, orders whose pieces expired, and every need to buy more pieces."""
    match event:
        case ItemRegistered() | ItemManaged() | ItemDiscontinued():
            return
        case StockReceived() | StockAdjusted() | StockReserved() | StockFreed():
            yield _level(item)
        case StockShipped() | StockReturned() | StockWrittenOff():
            yield _level(item)
        case StockExpired():
            yield _level(item)
            for order_id in event.orders:
                yield events.AllocationSpoilt(order_id=order_id, warehouse=item.warehouse, sku=item.sku)
        case ReorderNeeded():
            yield events.ReorderNeeded(
                warehouse=item.warehouse,
                sku=item.sku,
                available=event.available,
                reorder_point=event.reorder_point,
                reorder_quantity=event.reorder_quantity,
            )


AllocationPublished = events.StockAllocated | events.AllocationRefused | events.AllocationReleased
"""The integration events of `publish_allocation`."""


def publish_allocation(allocation: Allocation, event: AllocationEvent) -> Iterator[AllocationPublished]:
    """Policy: announces whether an order's stock is allocated or refused, and when it is released."""
    match event:
        case OrderAllocated():
            until = None if event.expires_at is None else time_to_wire(event.expires_at)
            yield events.StockAllocated(order_id=allocation.id, lines=_lines(allocation.lines), expires_at=until)
        case OrderNotAllocated():
            yield events.AllocationRefused(order_id=allocation.id, sku=event.sku, reason=event.reason)
        case OrderReleased():
            yield events.AllocationReleased(
                order_id=allocation.id, lines=_lines(event.lines), reason=_REASONS.to_wire(event.reason)
            )
        case AllocationRequested() | AllocationCancelled() | OrderConfirmed() | OrderCompleted():
            return
        case AllocationSecured() | AllocationFulfilled() | PiecesReturned():
            return


def _level(item: StockItem) -> events.StockLevelChanged:
    return events.StockLevelChanged(
        warehouse=item.warehouse,
        sku=item.sku,
        on_hand=item.on_hand,
        reserved=item.reserved,
        expired=item.expired,
    )


def _lines(lines: Sequence[AllocatedLine]) -> list[events.AllocatedLine]:
    return [events.AllocatedLine(sku=line.sku, warehouse=line.warehouse, quantity=line.quantity) for line in lines]
