"""The gRPC servicer. The id of a new order is its request_id, so a repeated request finds the same order."""

from collections.abc import AsyncIterator
from typing import Any

from commerce.ordering.v1 import ordering_service_pb2 as pb
from commerce.ordering.v1 import ordering_service_pb2_grpc as pb_grpc
from treaty.rpc import page_of, to_token

from services.commerce.ordering.api.replies import STATUS, offer_of, order_of, sales_of, summary_of
from services.commerce.ordering.api.requests import address_of, destination_of, lines_of
from services.commerce.ordering.application.commands import (
    ChangeAddress,
    ChangeDraft,
    GetOrder,
    ListOrders,
    ListSales,
    PlaceDraft,
    PlaceOrder,
    ReceiveReturn,
    RequestReturn,
    StartDraft,
    WatchOrder,
)
from services.commerce.ordering.application.offers import Offers, SearchOffers
from services.commerce.ordering.application.orders import Ordering
from services.commerce.ordering.publishing import METHODS
from services.commerce.ordering.sagas.checkout import CancelOrder
from services.commerce.wire import money_from_wire, time_from_wire


class OrderingApi(pb_grpc.OrderingServiceServicer):
    def __init__(self, ordering: Ordering, offers: Offers) -> None:
        self._ordering, self._offers = ordering, offers

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
        command = StartDraft(
            order_id=request.request_id.lower(), customer_id=request.customer_id, lines=lines_of(request.lines)
        )
        started = await self._ordering.start_draft(command)
        return pb.StartDraftResponse(order=order_of(started), revision=started.revision)

    async def ChangeDraft(self, request: pb.ChangeDraftRequest, context: Any) -> pb.ChangeDraftResponse:
        command = ChangeDraft(
            order_id=request.order_id.lower(),
            put=lines_of(request.set, "set"),
            remove=list(request.remove),
            method=METHODS.find(request.shipping_method),
            address=address_of(request.address) if request.HasField("address") else None,
        )
        changed = await self._ordering.change_draft(command)
        return pb.ChangeDraftResponse(order=order_of(changed), revision=changed.revision)

    async def PlaceDraft(self, request: pb.PlaceDraftRequest, context: Any) -> pb.PlaceDraftResponse:
        expected = money_from_wire(request.total) if request.HasField("total") else None
        placed = await self._ordering.place_draft(PlaceDraft(order_id=request.order_id.lower(), expected=expected))
        return pb.PlaceDraftResponse(order=order_of(placed), revision=placed.revision)

    async def ChangeAddress(self, request: pb.ChangeAddressRequest, context: Any) -> pb.ChangeAddressResponse:
        command = ChangeAddress(order_id=request.order_id.lower(), address=address_of(request.address))
        changed = await self._ordering.change_address(command)
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
        command = ReceiveReturn(order_id=request.order_id.lower(), return_id=request.return_id.lower())
        received = await self._ordering.receive_return(command)
        return pb.ReceiveReturnResponse(order=order_of(received), revision=received.revision)

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.GetOrderResponse:
        moment = time_from_wire(request.moment) if request.HasField("moment") else None
        query = GetOrder(order_id=request.order_id.lower(), version=request.version, moment=moment)
        found = await self._ordering.get_order(query)
        return pb.GetOrderResponse(order=order_of(found), revision=found.revision)

    async def WatchOrder(self, request: pb.WatchOrderRequest, context: Any) -> AsyncIterator[pb.WatchOrderResponse]:
        query = WatchOrder(order_id=request.order_id.lower(), after=request.after_version)
        async for change in self._ordering.watch_order(query):
            yield pb.WatchOrderResponse(order=order_of(change), revision=change.revision)

    async def GetDelivery(self, request: pb.GetDeliveryRequest, context: Any) -> pb.GetDeliveryResponse:
        order, address = await self._ordering.get_delivery(request.order_id.lower())
        assert order.delivery is not None
        return pb.GetDeliveryResponse(
            order_id=order.id,
            customer_id=order.customer_id,
            method=METHODS.to_wire(order.delivery.method),
            address=pb.Address(**address),
        )

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:
        query = ListOrders(customer_id=request.customer_id, status=STATUS.find(request.status), page=page_of(request))
        rows, after = await self._ordering.list_orders(query)
        return pb.ListOrdersResponse(orders=[summary_of(row) for row in rows], next_page_token=to_token(after))

    async def SearchOffers(self, request: pb.SearchOffersRequest, context: Any) -> pb.SearchOffersResponse:
        query = SearchOffers(
            text=request.text,
            category=request.category,
            lowest_price=request.lowest_price,
            highest_price=request.highest_price,
            available=request.available,
            page=page_of(request),
        )
        found, after = await self._offers.search(query)
        return pb.SearchOffersResponse(
            offers=[offer_of(row, price) for row, price in found], next_page_token=to_token(after)
        )

    async def ListDailySales(self, request: pb.ListDailySalesRequest, context: Any) -> pb.ListDailySalesResponse:
        query = ListSales(first=request.first_day, last=request.last_day, page=page_of(request))
        rows, after = await self._ordering.list_sales(query)
        return pb.ListDailySalesResponse(days=[sales_of(row) for row in rows], next_page_token=to_token(after))
