"""The use cases of orders."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from treaty.clock import Clock
from treaty.commits import Committed, Repository, Watch
from treaty.domain import Call, NotFound, Rejected
from treaty.projections import Between, Key, View

from services.commerce.ordering.application.buyers import Buyers, KeepAddress
from services.commerce.ordering.application.commands import (
    ChangeAddress,
    ChangeDraft,
    Destination,
    GetOrder,
    ListOrders,
    ListSales,
    PlaceDraft,
    PlaceOrder,
    ReceiveReturn,
    RequestReturn,
    ShipmentNews,
    StartDraft,
    StopShipment,
    WatchOrder,
)
from services.commerce.ordering.application.offers import GetPrices, Offers
from services.commerce.ordering.domain.buyer import Buyer
from services.commerce.ordering.domain.events import (
    CancellationRequested,
    OrderCancelled,
    OrderEvent,
    OrderPlaced,
    ReturnReceived,
    ReturnRequested,
)
from services.commerce.ordering.domain.order import Order
from services.commerce.ordering.domain.pricing import Delivery, Method
from services.commerce.ordering.domain.status import Status
from services.commerce.ordering.projections import OrderRow, SalesRow
from services.commerce.ordering.sagas.checkout import CancelOrder, CheckoutStarted, ConfirmOrder, OrderEnded
from services.commerce.ordering.sagas.returns import (
    CloseReturn,
    FinishReturn,
    GoodsArrived,
    ReturnedPieces,
    ReturnOpened,
)


class Shipments(Protocol):
    """The port to Shipping."""

    async def stop(self, order_id: str, reason: str) -> None:
        """Stops the shipment of an order. Raises Rejected if it has left already."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordering:
    """The use cases of Ordering.

    `answer_within` is the time that an order waits for stock and payment before it is cancelled.
    """

    orders: Repository[Order]
    buyers: Buyers
    offers: Offers
    order_rows: View[OrderRow]
    sales_rows: View[SalesRow]
    watching: Watch[Order]
    shipments: Shipments
    clock: Clock
    answer_within: timedelta

    async def place_order(self, command: PlaceOrder) -> Committed[Order]:
        """Places an order. It is pending until the answers on stock and payment have arrived."""
        now = self.clock.now()
        prices = await self.offers.prices(GetPrices(skus=[line.sku for line in command.lines], at=now))
        keep = KeepAddress(order_id=command.order_id, customer_id=command.customer_id, destination=command.destination)
        delivery, buyer = await self.buyers.keep_address(keep)

        def decide(order: Order) -> None:
            buyer.must_be_known()
            order.place(
                customer_id=command.customer_id,
                lines=command.lines,
                delivery=delivery,
                tier=buyer.tier,
                prices=prices,
                expected=command.expected,
                placed_at=now,
                answer_by=now + self.answer_within,
            )

        return await self.orders.add(command.order_id, decide)

    async def start_draft(self, command: StartDraft) -> Committed[Order]:
        """Starts an order that can be changed until it is placed."""
        buyer = await self.buyers.get(command.customer_id)

        def decide(order: Order) -> None:
            buyer.must_be_known()
            order.draft(customer_id=command.customer_id, lines=command.lines)

        return await self.orders.add(command.order_id, decide)

    async def change_draft(self, command: ChangeDraft) -> Committed[Order]:
        """Changes the lines or the delivery of a draft."""
        delivery, buyer = await self._changed_delivery(command)

        def decide(order: Order) -> None:
            buyer.must_be_known()
            order.change_draft(put=command.put, remove=command.remove, delivery=delivery)

        return await self.orders.change(command.order_id, decide)

    async def place_draft(self, command: PlaceDraft) -> Committed[Order]:
        """Places a draft with its current lines and delivery."""
        draft = (await self.orders.get(command.order_id)).state
        now = self.clock.now()
        prices = await self.offers.prices(GetPrices(skus=[line.sku for line in draft.lines], at=now))
        buyer, is_erased = await self._buyer_of_draft(draft)

        def decide(order: Order) -> None:
            buyer.must_be_known()
            if is_erased and order.delivery == draft.delivery and order.status is Status.DRAFT:
                raise Rejected(f"the delivery address of order {order.id} was erased", reason="ADDRESS_MISSING")
            order.place_draft(
                tier=buyer.tier,
                prices=prices,
                expected=command.expected,
                placed_at=now,
                answer_by=now + self.answer_within,
            )

        return await self.orders.change(command.order_id, decide)

    async def change_address(self, command: ChangeAddress) -> Committed[Order]:
        """Changes the delivery address of a placed order."""
        order = (await self.orders.get(command.order_id)).state
        method = order.delivery.method if order.delivery else Method.STANDARD
        destination = Destination(method=method, address=command.address)
        keep = KeepAddress(order_id=order.id, customer_id=order.customer_id, destination=destination)
        delivery, buyer = await self.buyers.keep_address(keep)

        def decide(order: Order) -> None:
            buyer.must_be_known()
            order.change_address(delivery)

        return await self.orders.change(command.order_id, decide)

    async def confirm_order(self, command: ConfirmOrder) -> Committed[Order]:
        return await self.orders.change(command.order_id, Order.confirm)

    async def cancel_order(self, command: CancelOrder) -> Committed[Order]:
        """Cancels an order, for the customer or for the checkout."""
        return await self.orders.change(command.order_id, lambda order: order.cancel(command.reason))

    async def stop_shipment(self, command: StopShipment) -> None:
        """Requests that Shipping stops the shipment of a confirmed order, and records the answer."""
        try:
            await self.shipments.stop(command.order_id, command.reason)
        except Rejected as late:
            why = late.message
            await self.orders.change(command.order_id, lambda order: order.shipment_not_stopped(why))
        else:
            await self.orders.change(command.order_id, lambda order: order.shipment_stopped(command.reason))

    async def note_shipment(self, news: ShipmentNews) -> Committed[Order]:
        """Records the progress of an order's shipment."""
        return await self.orders.add(news.order_id, lambda order: _noted(order, news))

    async def request_return(self, command: RequestReturn) -> Committed[Order]:
        """Opens a return of delivered goods."""
        now = self.clock.now()
        return await self.orders.change(
            command.order_id,
            lambda order: order.request_return(command.return_id, command.wanted, command.reason, now),
        )

    async def receive_return(self, command: ReceiveReturn) -> Committed[Order]:
        """Records that the goods of a return are at the warehouse."""
        return await self.orders.change(command.order_id, lambda order: order.receive_return(command.return_id))

    async def finish_return(self, command: FinishReturn) -> Committed[Order]:
        """Completes a return: its goods are in stock and its money is refunded."""
        now = self.clock.now()
        return await self.orders.change(command.order_id, lambda order: order.complete_return(command.return_id, now))

    async def close_return(self, command: CloseReturn) -> Committed[Order]:
        """Closes a return that will not be completed."""
        return await self.orders.change(
            command.order_id, lambda order: order.close_return(command.return_id, command.reason)
        )

    async def get_order(self, query: GetOrder) -> Committed[Order]:
        """Returns the current state of an order, or its state at a version or a moment."""
        if query.version or query.moment is not None:
            return await self.orders.at(query.order_id, version=query.version, moment=query.moment)
        return await self.orders.get(query.order_id)

    def watch_order(self, query: WatchOrder) -> AsyncIterator[Committed[Order]]:
        """Yields an order after every change."""
        return self.watching.changes(query.order_id, after=query.after)

    async def get_delivery(self, order_id: str) -> tuple[Order, Mapping[str, str]]:
        """Returns an order and its delivery address.

        Raises:
            NotFound: if there is no order, if it has no address, or if the address was erased.
        """
        order = (await self.orders.get(order_id)).state
        address = await self.buyers.find_address(order)
        if address is None:
            raise NotFound(f"order {order_id} has no delivery address", reason="ADDRESS_ERASED")
        return order, address

    async def list_orders(self, query: ListOrders) -> tuple[list[OrderRow], Key | None]:
        """Returns a page of orders, the latest first, and the key of the next page, or None at the end."""
        where = {"customer_id": query.customer_id, "status": query.status and query.status.value}
        return await self.order_rows.page({name: value for name, value in where.items() if value}, query.page)

    async def list_sales(self, query: ListSales) -> tuple[list[SalesRow], Key | None]:
        """Returns a page of daily sales, the latest first, and the key of the next page, or None at the end."""
        bounds = Between(query.first or None, query.last or None)
        return await self.sales_rows.page({"day": bounds} if query.first or query.last else {}, query.page)

    async def _buyer_of_draft(self, draft: Order) -> tuple[Buyer, bool]:
        """Returns the buyer, and whether the address was erased. Otherwise its time begins again: it is needed now."""
        address = await self.buyers.find_address(draft)
        if draft.delivery is None or address is None:
            return await self.buyers.get(draft.customer_id), draft.delivery is not None
        destination = Destination(method=draft.delivery.method, address=address)
        keep = KeepAddress(order_id=draft.id, customer_id=draft.customer_id, destination=destination)
        return (await self.buyers.keep_address(keep))[1], False

    async def _changed_delivery(self, command: ChangeDraft) -> tuple[Delivery | None, Buyer]:
        draft = (await self.orders.get(command.order_id)).state
        known = draft.delivery
        if command.address is not None:
            method = command.method or (known.method if known else Method.STANDARD)
            destination = Destination(method=method, address=command.address)
            keep = KeepAddress(order_id=draft.id, customer_id=draft.customer_id, destination=destination)
            return await self.buyers.keep_address(keep)
        buyer = await self.buyers.get(draft.customer_id)
        if command.method is not None and known is not None:
            return Delivery(method=command.method, country=known.country, address=known.address), buyer
        return None, buyer


def _noted(order: Order, news: ShipmentNews) -> None:
    match news.kind:
        case "prepared":
            order.shipment_prepared()
        case "dispatched" if news.at is not None:
            order.dispatched(carrier=news.carrier, tracking_number=news.tracking_number, at=news.at)
        case "delivered" if news.at is not None:
            order.delivered(news.at)
        case "cancelled":
            order.shipment_stopped(news.why)
        case "failed":
            order.not_delivered(news.why)


def follow_order(order: Order, event: OrderEvent) -> Iterator[Call]:
    """Policy: sends an order's events to its sagas, and the request to stop a shipment to Shipping."""
    match event:
        case OrderPlaced():
            within = event.answer_by - event.placed_at
            yield Call(CheckoutStarted(order_id=order.id, answer_by=event.answer_by, answer_within=within))
        case CancellationRequested():
            yield Call(StopShipment(order_id=order.id, reason=event.reason))
        case OrderCancelled():
            yield Call(OrderEnded(order_id=order.id))
        case ReturnRequested():
            yield Call(
                ReturnOpened(
                    return_id=event.return_id,
                    order_id=order.id,
                    pieces=tuple(ReturnedPieces(sku=line.sku, quantity=line.quantity) for line in event.lines),
                    refund=event.refund,
                    arrive_by=event.arrive_by,
                )
            )
        case ReturnReceived():
            yield Call(GoodsArrived(return_id=event.return_id))
        case _:
            return
