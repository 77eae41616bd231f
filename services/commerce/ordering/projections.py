"""Read models: orders by customer and status."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.commerce.money import Money
from services.commerce.ordering.domain import OrderCancelled, OrderConfirmed, OrderEvent, OrderPlaced, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """An order in a list. The id is the row's own."""

    order_id: str
    customer_id: str
    status: Status
    total: Money
    line_count: int
    placed_at: datetime
    reason: str = ""


def order_summary(order_id: str, row: OrderRow | None, event: OrderEvent) -> OrderRow | None:
    """Projects an event of an order onto its row."""
    match event:
        case OrderPlaced():
            return OrderRow(
                order_id=order_id,
                customer_id=event.customer_id,
                status=Status.PENDING,
                total=event.total,
                line_count=len(event.lines),
                placed_at=event.placed_at,
            )
        case OrderConfirmed():
            return row and replace(row, status=Status.CONFIRMED)
        case OrderCancelled():
            return row and replace(row, status=Status.CANCELLED, reason=event.reason)
