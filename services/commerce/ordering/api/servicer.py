"""The gRPC servicer. The id of a new order is its request_id, so a repeated request finds the same order."""

from collections.abc import AsyncIterator
from typing import Any

from commerce.ordering.v1 import ordering_service_pb2 as pb
from commerce.ordering.v1 import ordering_service_pb2_grpc as pb_grpc
from treaty.projections import Between, Words
from treaty.rpc import Api, from_token, to_token

from services.commerce.ordering.api.replies import STATUS, offer_of, order_of, sales_of, summary_of
from services.commerce.ordering.api.requests import METHOD, address_of, destination_of, lines_of
from services.commerce.ordering.application.commands import ChangeDraft, PlaceOrder, RequestReturn
from services.commerce.ordering.application.orders import Ordering
from services.commerce.ordering.publishing import METHODS
from services.commerce.ordering.sagas.checkout import CancelOrder
from services.commerce.wire import money_from_wire, time_from_wire

_STATUS_FROM_WIRE = {wire: status for status, wire in STATUS.items()}


class OrderingApi(pb_grpc.OrderingServiceServicer):
    def __init__(self, ordering: Ordering) -> None:
        self._ordering = ordering

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, context: Any) -> pb.PlaceOrderResponse:
        command = PlaceOrder(
            order_id=request.request_id.lower(),
            customer_id=request.customer_id,
            lines=lines_of(request.lines),
            expected=money_from_wire(request.total) if request.HasField("total") else None,
            destination=destination_of(request),
        )
        placed = await self._ordering.place_order(command)
        return pb.PlaceOrderResponse(order=order_of(placed), revision=placed.revision)

    async def StartDraft(self, request: pb.StartDraftRequest, context: Any) -> pb.StartDraftResponse:
        lines = lines_of(request.lines)
        started = await self._ordering.start_draft(request.request_id.lower(), request.customer_id, lines)
        return pb.StartDraftResponse(order=order_of(started), revision=started.revision)

    async def ChangeDraft(self, request: pb.ChangeDraftRequest, context: Any) -> pb.ChangeDraftResponse:
        command = ChangeDraft(
            order_id=request.order_id.lower(),
            put=lines_of(request.set, "set"),
            remove=list(request.remove),
            method=METHOD.get(request.shipping_method),
            address=address_of(request.address) if request.HasField("address") else None,
        )
        changed = await self._ordering.change_draft(command)
        return pb.ChangeDraftResponse(order=order_of(changed), revision=changed.revision)

    async def PlaceDraft(self, request: pb.PlaceDraftRequest, context: Any) -> pb.PlaceDraftResponse:
        expected = money_from_wire(request.total) if request.HasField("total") else None
        placed = await self._ordering.place_draft(request.order_id.lower(), expected)
        return pb.PlaceDraftResponse(order=order_of(placed), revision=placed.revision)

    async def ChangeAddress(self, request: pb.ChangeAddressRequest, context: Any) -> pb.ChangeAddressResponse:
        changed = await self._ordering.change_address(request.order_id.lower(), address_of(request.address))
        return pb.ChangeAddressResponse(order=order_of(changed), revision=changed.revision)

    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Any) -> pb.CancelOrderResponse:
        command = CancelOrder(order_id=request.order_id.lower(), reason=request.reason)
        cancelled = await self._ordering.cancel_order(command)
        return pb.CancelOrderResponse(order=order_of(cancelled), revision=cancelled.revision)

    async def RequestReturn(self, request: pb.RequestReturnRequest, context: Any) -> pb.RequestReturnResponse:
        command = RequestReturn(
            order_id=request.order_id.lower(),
            return_id=request.request_id.lower(),
            wanted={one.sku: one.quantity for one in request.pieces},
            reason=request.reason,
        )
        requested = await self._ordering.request_return(command)
        return pb.RequestReturnResponse(order=order_of(requested), revision=requested.revision)

    async def ReceiveReturn(self, request: pb.ReceiveReturnRequest, context: Any) -> pb.ReceiveReturnResponse:
        received = await self._ordering.receive_return(request.order_id.lower(), request.return_id.lower())
        return pb.ReceiveReturnResponse(order=order_of(received), revision=received.revision)

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.GetOrderResponse:
        moment = time_from_wire(request.moment) if request.HasField("moment") else None
        found = await self._ordering.get_order(request.order_id.lower(), version=request.version, moment=moment)
        return pb.GetOrderResponse(order=order_of(found), revision=found.revision)

    async def WatchOrder(self, request: pb.WatchOrderRequest, context: Any) -> AsyncIterator[pb.WatchOrderResponse]:
        async for change in self._ordering.watch_order(request.order_id.lower(), request.after_version):
            yield pb.WatchOrderResponse(order=order_of(change), revision=change.revision)

    async def GetDelivery(self, request: pb.GetDeliveryRequest, context: Any) -> pb.GetDeliveryResponse:
        order, address = await self._ordering.get_delivery(request.order_id.lower())
        assert order.delivery is not None
        return pb.GetDeliveryResponse(
            order_id=order.id,
            customer_id=order.customer_id,
            method=METHODS[order.delivery.method],
            address=pb.Address(**address),
        )

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:
        rows, after = await self._ordering.list_orders(
            customer_id=request.customer_id,
            status=_STATUS_FROM_WIRE.get(request.status, ""),
            size=request.page_size,
            after=from_token(request.page_token),
            not_before=request.not_before,
        )
        return pb.ListOrdersResponse(orders=[summary_of(row) for row in rows], next_page_token=to_token(after))

    async def SearchOffers(self, request: pb.SearchOffersRequest, context: Any) -> pb.SearchOffersResponse:
        where = {
            "words": Words(request.text) if request.text else None,
            "category": request.category or None,
            "price": Between(request.lowest_price, request.highest_price or None) if _has_price(request) else None,
            "in_stock": True if request.available else None,
        }
        chosen = {name: value for name, value in where.items() if value is not None}
        rows, after = await self._ordering.search_offers(
            chosen,
            size=request.page_size,
            after=from_token(request.page_token),
            not_before=request.not_before,
        )
        now = self._ordering.clock.now()
        return pb.SearchOffersResponse(offers=[offer_of(row, now) for row in rows], next_page_token=to_token(after))

    async def ListDailySales(self, request: pb.ListDailySalesRequest, context: Any) -> pb.ListDailySalesResponse:
        rows, after = await self._ordering.list_sales(
            first=request.first_day,
            last=request.last_day,
            size=request.page_size,
            after=from_token(request.page_token),
            not_before=request.not_before,
        )
        return pb.ListDailySalesResponse(days=[sales_of(row) for row in rows], next_page_token=to_token(after))


def api(ordering: Ordering) -> Api:
    """Returns the gRPC service of Ordering."""
    add = pb_grpc.add_OrderingServiceServicer_to_server
    return Api(add, OrderingApi(ordering), pb.DESCRIPTOR.services_by_name["OrderingService"].full_name)


def _has_price(request: pb.SearchOffersRequest) -> bool:
    return bool(request.lowest_price or request.highest_price)
