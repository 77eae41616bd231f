"""The read models of Ordering: orders with their shipments, offers, and the sales of each day."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.commerce.money import Money
from services.commerce.ordering.domain.events import (
    AvailabilityChanged,
    CancellationRefused,
    CancellationRequested,
    OfferDescribed,
    OfferEvent,
    OfferPriced,
    OfferWithdrawn,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderDispatched,
    OrderEvent,
    OrderPlaced,
    OrderRefunded,
    ReturnCompleted,
    ShipmentPrepared,
)
from services.commerce.ordering.domain.offer import Shelf
from services.commerce.ordering.domain.pricing import Promotion
from services.commerce.ordering.domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """An order in a list. `order_id` is also the id of the row. Drafts are not listed."""

    order_id: str
    customer_id: str
    status: Status
    total: Money
    line_count: int
    placed_at: datetime
    reason: str = ""
    shipment: str = ""
    carrier: str = ""
    tracking_number: str = ""
    dispatched_at: datetime | None = None
    delivered_at: datetime | None = None


def order_summary(order_id: str, row: OrderRow | None, event: OrderEvent) -> OrderRow | None:
    """Projects an event of an order onto its row."""
    if isinstance(event, OrderPlaced):
        return _placed(order_id, event)
    return row and _changed(row, event)


def _placed(order_id: str, event: OrderPlaced) -> OrderRow:
    return OrderRow(
        order_id=order_id,
        customer_id=event.customer_id,
        status=Status.PENDING,
        total=event.totals.total,
        line_count=len(event.lines),
        placed_at=event.placed_at,
    )


def _changed(row: OrderRow, event: OrderEvent) -> OrderRow:
    match event:
        case OrderConfirmed():
            return replace(row, status=Status.CONFIRMED)
        case CancellationRequested():
            return replace(row, status=Status.CANCELLING, reason=event.reason)
        case CancellationRefused():
            return replace(row, status=Status.CONFIRMED, reason=event.reason)
        case OrderCancelled():
            shipment = "failed" if row.shipment == "dispatched" else row.shipment
            return replace(row, status=Status.CANCELLED, reason=event.reason, shipment=shipment)
        case ShipmentPrepared():
            return replace(row, shipment="preparing")
        case OrderDispatched():
            return replace(
                row,
                status=Status.DISPATCHED,
                shipment="dispatched",
                carrier=event.carrier,
                tracking_number=event.tracking_number,
                dispatched_at=event.dispatched_at,
            )
        case OrderCompleted():
            return replace(row, status=Status.COMPLETED, shipment="delivered", delivered_at=event.completed_at)
        case _:
            return row


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRow:
    """An offer in a list. `rank` sorts the rows by name. `price` is the list price in minor units, to filter by."""

    sku: str
    name: str = ""
    rank: str = ""
    category: str = ""
    words: tuple[str, ...] = ()
    price: int = 0
    list_price: Money | None = None
    promotion: Promotion | None = None
    shelves: tuple[Shelf, ...] = ()
    available: int = 0
    in_stock: bool = False
    offered: bool = False
    withdrawn: bool = False


def offers(sku: str, row: OfferRow | None, event: OfferEvent) -> OfferRow:
    """Projects an event of an offer onto its row.

    The product is offered once it has a name and a price, until it is withdrawn.
    """
    after = _offer(row or OfferRow(sku=sku), event)
    return replace(after, offered=bool(after.name and after.list_price and not after.withdrawn))


def _offer(row: OfferRow, event: OfferEvent) -> OfferRow:
    match event:
        case OfferDescribed():
            rank = f"{event.name.lower()} {row.sku}"
            return replace(row, name=event.name, rank=rank, category=event.category, words=event.words)
        case OfferPriced():
            price = event.list_price.minor_units
            return replace(row, price=price, list_price=event.list_price, promotion=event.promotion)
        case AvailabilityChanged():
            return _stocked(row, event)
        case OfferWithdrawn():
            return replace(row, withdrawn=True)


def _stocked(row: OfferRow, event: AvailabilityChanged) -> OfferRow:
    others = (shelf for shelf in row.shelves if shelf.warehouse != event.warehouse)
    shelves = (*others, Shelf(warehouse=event.warehouse, available=event.available))
    available = sum(shelf.available for shelf in shelves)
    return replace(row, shelves=shelves, available=available, in_stock=available > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesRow:
    """The sales of one day in one currency, in minor units."""

    day: str
    currency: str
    orders: int = 0
    pieces: int = 0
    sales: int = 0
    refunds: int = 0


def sales_day(order_id: str, event: OrderEvent) -> str | None:
    """Returns the id of the row of an event, made of its day and currency, or None if the event does not count."""
    match event:
        case OrderCompleted():
            return f"{event.completed_at:%Y-%m-%d}/{event.total.currency}"
        case OrderRefunded(delivered=True):
            return f"{event.refunded_at:%Y-%m-%d}/{event.amount.currency}"
        case ReturnCompleted():
            return f"{event.completed_at:%Y-%m-%d}/{event.refund.currency}"
        case _:
            return None


def daily_sales(id: str, row: SalesRow | None, event: OrderEvent) -> SalesRow | None:
    """Adds an event to the row of its day. The sums do not depend on the sequence of the events."""
    day, _, currency = id.partition("/")
    row = row or SalesRow(day=day, currency=currency)
    match event:
        case OrderCompleted():
            return replace(
                row,
                orders=row.orders + 1,
                pieces=row.pieces + event.pieces,
                sales=row.sales + event.total.minor_units,
                refunds=row.refunds + event.refunded,
            )
        case OrderRefunded():
            return replace(row, refunds=row.refunds + event.amount.minor_units)
        case ReturnCompleted():
            return replace(row, refunds=row.refunds + event.refund.minor_units)
        case _:
            return row
