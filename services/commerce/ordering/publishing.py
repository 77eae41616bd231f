"""Translates the domain events of Ordering to integration events."""

from collections.abc import Iterator, Sequence

from commerce.money.v1 import money_pb2
from commerce.ordering.v1 import ordering_events_pb2 as pb
from treaty.rpc import EnumTable

from services.commerce.ordering.domain.events import (
    AddressChanged,
    CancellationRefused,
    CancellationRequested,
    DraftChanged,
    DraftStarted,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderDispatched,
    OrderEvent,
    OrderPlaced,
    OrderRefunded,
    ReturnClosed,
    ReturnCompleted,
    ReturnReceived,
    ReturnRequested,
    ShipmentPrepared,
)
from services.commerce.ordering.domain.order import Order
from services.commerce.ordering.domain.pricing import Line, Method
from services.commerce.wire import money_to_wire, time_to_wire

METHODS = EnumTable(
    {
        Method.STANDARD: pb.SHIPPING_METHOD_STANDARD,
        Method.EXPRESS: pb.SHIPPING_METHOD_EXPRESS,
        Method.OVERNIGHT: pb.SHIPPING_METHOD_OVERNIGHT,
    }
)


Published = (
    pb.OrderPlaced
    | pb.OrderConfirmed
    | pb.OrderCancellationRefused
    | pb.OrderCancelled
    | pb.OrderCompleted
    | pb.OrderReturned
    | pb.OrderReturnClosed
)
"""The integration events of `publish`."""


def publish(order: Order, event: OrderEvent) -> Iterator[Published]:
    """Policy: announces the events that other contexts may rely on. Drafts are not announced."""
    match event:
        case OrderPlaced():
            yield _placed(order, event)
        case OrderConfirmed():
            yield pb.OrderConfirmed(order_id=order.id, customer_id=order.customer_id, total=_total(order))
        case OrderCancelled():
            if order.placed_at is not None:
                yield pb.OrderCancelled(order_id=order.id, customer_id=order.customer_id, reason=event.reason)
        case CancellationRefused():
            yield pb.OrderCancellationRefused(order_id=order.id, customer_id=order.customer_id, reason=event.reason)
        case OrderCompleted():
            yield pb.OrderCompleted(
                order_id=order.id,
                customer_id=order.customer_id,
                total=money_to_wire(event.total),
                lines=_lines(order.lines),
                completed_at=time_to_wire(event.completed_at),
            )
        case ReturnCompleted():
            yield pb.OrderReturned(
                order_id=order.id,
                customer_id=order.customer_id,
                return_id=event.return_id,
                lines=_lines(order.return_of(event.return_id).lines),
                refund=money_to_wire(event.refund),
            )
        case ReturnClosed():
            yield pb.OrderReturnClosed(
                order_id=order.id, customer_id=order.customer_id, return_id=event.return_id, reason=event.reason
            )
        case DraftStarted() | DraftChanged() | AddressChanged() | CancellationRequested():
            return
        case ShipmentPrepared() | OrderDispatched() | OrderRefunded() | ReturnRequested() | ReturnReceived():
            return


def _placed(order: Order, event: OrderPlaced) -> pb.OrderPlaced:
    assert event.delivery is not None
    return pb.OrderPlaced(
        order_id=order.id,
        customer_id=event.customer_id,
        lines=_lines(event.lines),
        total=money_to_wire(event.totals.total),
        placed_at=time_to_wire(event.placed_at),
        subtotal=money_to_wire(event.totals.subtotal),
        tax=money_to_wire(event.totals.tax),
        shipping=money_to_wire(event.totals.shipping),
        shipping_method=METHODS.to_wire(event.delivery.method),
        country=event.delivery.country,
        customer_tier=event.tier,
    )


def _total(order: Order) -> money_pb2.Money | None:
    return money_to_wire(order.totals.total) if order.totals else None


def _lines(lines: Sequence[Line]) -> list[pb.PlacedLine]:
    return [
        pb.PlacedLine(sku=line.sku, quantity=line.quantity, unit_price=money_to_wire(line.unit_price)) for line in lines
    ]
