"""Ordering over gRPC: translate, call, translate."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from commerce.ordering.v1 import ordering_service_pb2 as pb
from commerce.ordering.v1 import ordering_service_pb2_grpc as pb_grpc
from treaty.domain import Invalid
from treaty.projections import Key
from treaty.service import Api

from services.commerce.ordering.application import Ordering, PlaceOrder
from services.commerce.ordering.domain import Line, Order, Status
from services.commerce.ordering.projections import OrderRow
from services.commerce.ordering.sagas import CancelOrder
from services.commerce.wire import money_from_wire, money_to_wire, time_to_wire

_STATUS = {
    Status.PENDING: pb.ORDER_STATUS_PENDING,
    Status.CONFIRMED: pb.ORDER_STATUS_CONFIRMED,
    Status.CANCELLED: pb.ORDER_STATUS_CANCELLED,
}
_STATUS_FROM_WIRE = {wire: status for status, wire in _STATUS.items()}


class OrderingApi(pb_grpc.OrderingServiceServicer):
    """The servicer. The id of a new order is its request_id, so that a repeated request meets the same order."""

    def __init__(self, ordering: Ordering) -> None:
        self._ordering = ordering

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, context: Any) -> pb.PlaceOrderResponse:
        command = PlaceOrder(
            order_id=request.request_id.lower(),
            customer_id=request.customer_id,
            lines=[_line(line, index) for index, line in enumerate(request.lines)],
            expected=money_from_wire(request.total) if request.HasField("total") else None,
        )
        placed = await self._ordering.place_order(command)
        return pb.PlaceOrderResponse(order=_order(placed.state), revision=placed.revision)

    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Any) -> pb.CancelOrderResponse:
        command = CancelOrder(order_id=request.order_id.lower(), reason=request.reason)
        cancelled = await self._ordering.cancel_order(command)
        return pb.CancelOrderResponse(order=_order(cancelled.state), revision=cancelled.revision)

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.GetOrderResponse:
        found = await self._ordering.get_order(request.order_id.lower())
        return pb.GetOrderResponse(order=_order(found.state), revision=found.revision)

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:
        rows, after = await self._ordering.list_orders(
            customer_id=request.customer_id,
            status=_STATUS_FROM_WIRE.get(request.status, ""),
            size=request.page_size,
            after=_from_token(request.page_token),
        )
        return pb.ListOrdersResponse(orders=[_summary(row) for row in rows], next_page_token=_to_token(after))


def api(ordering: Ordering) -> Api:
    """Returns Ordering's gRPC service."""
    add = pb_grpc.add_OrderingServiceServicer_to_server
    return Api(add, OrderingApi(ordering), pb.DESCRIPTOR.services_by_name["OrderingService"].full_name)


def _line(line: pb.OrderLine, index: int) -> Line:
    try:
        return Line(sku=line.sku, quantity=line.quantity, unit_price=money_from_wire(line.unit_price))
    except Invalid as invalid:
        field = f"lines[{index}].unit_price.{invalid.field}" if "." not in invalid.field else invalid.field
        raise Invalid(invalid.message, field=field, reason=invalid.reason) from None


def _order(order: Order) -> pb.Order:
    assert order.total is not None
    assert order.placed_at is not None
    return pb.Order(
        order_id=order.id,
        customer_id=order.customer_id,
        lines=[
            pb.OrderLine(sku=line.sku, quantity=line.quantity, unit_price=money_to_wire(line.unit_price))
            for line in order.lines
        ],
        total=money_to_wire(order.total),
        status=_STATUS[order.status],
        reason=order.reason,
        placed_at=time_to_wire(order.placed_at),
    )


def _summary(row: OrderRow) -> pb.OrderSummary:
    return pb.OrderSummary(
        order_id=row.order_id,
        customer_id=row.customer_id,
        status=_STATUS[row.status],
        total=money_to_wire(row.total),
        line_count=row.line_count,
        placed_at=time_to_wire(row.placed_at),
        reason=row.reason,
    )


def _to_token(after: Key | None) -> str:
    if after is None:
        return ""
    placed_at, order_id = after
    return base64.urlsafe_b64encode(json.dumps([placed_at.isoformat(), order_id]).encode()).decode()


def _from_token(token: str) -> Key | None:
    if not token:
        return None
    try:
        placed_at, order_id = json.loads(base64.urlsafe_b64decode(token.encode()))
        return datetime.fromisoformat(placed_at).astimezone(UTC), str(order_id)
    except (ValueError, TypeError, OverflowError):
        raise Invalid("use the next_page_token of the page before, as it is", field="page_token") from None
