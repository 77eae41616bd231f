"""Translates the states and rows of Ordering to protobuf messages for clients."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from commerce.money.v1.money_pb2 import Money as WireMoney
from commerce.ordering.v1 import ordering_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from treaty.commits import Committed
from treaty.rpc import EnumTable

from services.commerce.money import Money
from services.commerce.ordering.domain.order import Order
from services.commerce.ordering.domain.pricing import Line, Totals
from services.commerce.ordering.domain.returns import Return, ReturnStatus
from services.commerce.ordering.domain.status import Status
from services.commerce.ordering.projections import OfferRow, OrderRow, SalesRow
from services.commerce.ordering.publishing import METHODS
from services.commerce.wire import money_to_wire, time_to_wire

STATUS = EnumTable(
    {
        Status.DRAFT: pb.ORDER_STATUS_DRAFT,
        Status.PENDING: pb.ORDER_STATUS_PENDING,
        Status.CONFIRMED: pb.ORDER_STATUS_CONFIRMED,
        Status.CANCELLING: pb.ORDER_STATUS_CANCELLING,
        Status.DISPATCHED: pb.ORDER_STATUS_DISPATCHED,
        Status.COMPLETED: pb.ORDER_STATUS_COMPLETED,
        Status.CANCELLED: pb.ORDER_STATUS_CANCELLED,
    }
)

_RETURN_STATUS = EnumTable(
    {
        ReturnStatus.OPEN: pb.RETURN_STATUS_OPEN,
        ReturnStatus.RECEIVED: pb.RETURN_STATUS_OPEN,
        ReturnStatus.COMPLETED: pb.RETURN_STATUS_COMPLETED,
        ReturnStatus.CLOSED: pb.RETURN_STATUS_CLOSED,
    }
)

_NEXT: Mapping[Status, str] = {
    Status.DRAFT: "place it with PlaceDraft",
    Status.CONFIRMED: "the payment is taken and the parcel is prepared",
    Status.CANCELLING: "it is cancelled if its shipment can still be stopped; otherwise it goes on",
    Status.DISPATCHED: "the carrier delivers it",
    Status.COMPLETED: "it may be sent back within 30 days with RequestReturn",
}


def order_of(committed: Committed[Order]) -> pb.Order:
    """Returns an order with its version."""
    order = committed.state
    message = pb.Order(
        order_id=order.id,
        customer_id=order.customer_id,
        lines=_lines(order.lines),
        status=STATUS.to_wire(order.status),
        reason=order.reason,
        placed_at=_time(order.placed_at),
        customer_tier=order.tier,
        carrier=order.carrier,
        tracking_number=order.tracking_number,
        next=_next(order),
        returns=[_return(one) for one in order.returns],
        version=committed.version,
        refunds=[pb.Refund(refund_id=one.refund_id, amount=money_to_wire(one.amount)) for one in order.refunds],
    )
    _add_totals(message, order.totals)
    if order.delivery is not None:
        message.shipping_method = METHODS.to_wire(order.delivery.method)
        message.country = order.delivery.country
    return message


def _add_totals(message: pb.Order, totals: Totals | None) -> None:
    if totals is not None:
        message.total.CopyFrom(money_to_wire(totals.total))
        message.subtotal.CopyFrom(money_to_wire(totals.subtotal))
        message.shipping.CopyFrom(money_to_wire(totals.shipping))
        message.tax.CopyFrom(money_to_wire(totals.tax))


def _next(order: Order) -> str:
    if order.status is Status.PENDING and order.answer_by is not None:
        return f"the answers on stock and payment arrive by about {order.answer_by:%Y-%m-%d %H:%M:%S} UTC"
    return _NEXT.get(order.status, "")


def _lines(lines: Iterable[Line]) -> list[pb.OrderLine]:
    return [
        pb.OrderLine(sku=line.sku, quantity=line.quantity, unit_price=money_to_wire(line.unit_price)) for line in lines
    ]


def _return(one: Return) -> pb.Return:
    return pb.Return(
        return_id=one.return_id,
        pieces=[pb.Pieces(sku=line.sku, quantity=line.quantity) for line in one.lines],
        refund=money_to_wire(one.refund),
        status=_RETURN_STATUS.to_wire(one.status),
        reason=one.reason,
        arrive_by=time_to_wire(one.arrive_by),
    )


def summary_of(row: OrderRow) -> pb.OrderSummary:
    return pb.OrderSummary(
        order_id=row.order_id,
        customer_id=row.customer_id,
        status=STATUS.to_wire(row.status),
        total=money_to_wire(row.total),
        line_count=row.line_count,
        placed_at=time_to_wire(row.placed_at),
        reason=row.reason,
        shipment=row.shipment,
        carrier=row.carrier,
        tracking_number=row.tracking_number,
        dispatched_at=_time(row.dispatched_at),
        delivered_at=_time(row.delivered_at),
    )


def offer_of(row: OfferRow, price: Money) -> pb.Offer:
    assert row.list_price is not None
    return pb.Offer(
        sku=row.sku,
        name=row.name,
        category=row.category,
        price=money_to_wire(price),
        list_price=money_to_wire(row.list_price),
        available=row.available,
    )


def sales_of(row: SalesRow) -> pb.DailySales:
    return pb.DailySales(
        day=row.day,
        orders=row.orders,
        pieces=row.pieces,
        sales=_amount(row.sales, row.currency),
        refunds=_amount(row.refunds, row.currency),
    )


def _amount(minor_units: int, currency: str) -> WireMoney:
    return money_to_wire(Money(minor_units, currency))


def _time(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else time_to_wire(moment)
