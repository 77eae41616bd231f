"""Ordering's domain events as integration events."""

from collections.abc import Iterator

from commerce.ordering.v1 import ordering_events_pb2 as events
from treaty.effects import Message

from services.commerce.ordering.domain import Order, OrderCancelled, OrderConfirmed, OrderEvent, OrderPlaced
from services.commerce.wire import money_to_wire, time_to_wire


def publish(order: Order, event: OrderEvent) -> Iterator[Message]:
    """Policy: announces what others may rely on."""
    match event:
        case OrderPlaced():
            yield events.OrderPlaced(
                order_id=order.id,
                customer_id=event.customer_id,
                lines=[
                    events.PlacedLine(sku=line.sku, quantity=line.quantity, unit_price=money_to_wire(line.unit_price))
                    for line in event.lines
                ],
                total=money_to_wire(event.total),
                placed_at=time_to_wire(event.placed_at),
            )
        case OrderConfirmed():
            assert order.total is not None
            yield events.OrderConfirmed(
                order_id=order.id, customer_id=order.customer_id, total=money_to_wire(order.total)
            )
        case OrderCancelled():
            yield events.OrderCancelled(order_id=order.id, customer_id=order.customer_id, reason=event.reason)
