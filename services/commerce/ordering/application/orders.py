"""The use cases of orders."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from treaty.clock import Clock
from treaty.commits import Committed, Repository, Watch
from treaty.domain import Call, NotFound, Rejected
from treaty.personal_data import PersonalData
from treaty.projections import Between, Key, View, Where, Words

from services.commerce.money import Money
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
    SearchOffers,
    ShipmentNews,
    StartDraft,
    StopShipment,
    WatchOrder,
)
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
from services.commerce.ordering.domain.pricing import Delivery, Method, Tier, price_at
from services.commerce.ordering.projections import OfferRow, OrderRow, SalesRow
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
    buyers: Repository[Buyer]
    offer_rows: View[OfferRow]
    order_rows: View[OrderRow]
    sales_rows: View[SalesRow]
    watching: Watch[Order]
    personal_data: PersonalData
    shipments: Shipments
    clock: Clock
    answer_within: timedelta

    async def place_order(self, command: PlaceOrder) -> Committed[Order]:
        """Places an order. It is pending until the answers on stock and payment have arrived."""
        now = self.clock.now()
        prices = await self._prices([line.sku for line in command.lines], now)
        tier = await self._tier(command.customer_id)
        delivery = await self._kept(command.customer_id or command.order_id, command.destination)
        return await self.orders.add(
            command.order_id,
            lambda order: order.place(
                customer_id=command.customer_id,
                lines=command.lines,
                delivery=delivery,
                tier=tier,
                prices=prices,
                expected=command.expected,
                placed_at=now,
                answer_by=now + self.answer_within,
            ),
        )

    async def start_draft(self, command: StartDraft) -> Committed[Order]:
        """Starts an order that can be changed until it is placed."""
        return await self.orders.add(
            command.order_id, lambda order: order.draft(customer_id=command.customer_id, lines=command.lines)
        )

    async def change_draft(self, command: ChangeDraft) -> Committed[Order]:
        """Changes the lines or the delivery of a draft."""
        delivery = await self._changed_delivery(command)
        return await self.orders.change(
            command.order_id,
            lambda order: order.change_draft(put=command.put, remove=command.remove, delivery=delivery),
        )

    async def place_draft(self, command: PlaceDraft) -> Committed[Order]:
        """Places a draft with its current lines and delivery."""
        draft = (await self.orders.get(command.order_id)).state
        now = self.clock.now()
        prices = await self._prices([line.sku for line in draft.lines], now)
        tier = await self._tier(draft.customer_id)
        return await self.orders.change(
            command.order_id,
            lambda order: order.place_draft(
                tier=tier, prices=prices, expected=command.expected, placed_at=now, answer_by=now + self.answer_within
            ),
        )

    async def change_address(self, command: ChangeAddress) -> Committed[Order]:
        """Changes the delivery address of a placed order."""
        order = (await self.orders.get(command.order_id)).state
        method = order.delivery.method if order.delivery else Method.STANDARD
        destination = Destination(method=method, address=command.address)
        delivery = await self._kept(order.customer_id or order.id, destination)
        return await self.orders.change(command.order_id, lambda order: order.change_address(delivery))

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
            await self.orders.change(command.order_id, Order.shipment_stopped)

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
            NotFound: if there is no order, if it has no address, or if its customer's data was erased.
        """
        order = (await self.orders.get(order_id)).state
        address = await self.personal_data.find(order.delivery.address) if order.delivery else None
        if address is None:
            raise NotFound(f"order {order_id} has no delivery address", reason="ADDRESS_ERASED")
        return order, address

    async def list_orders(self, query: ListOrders) -> tuple[list[OrderRow], Key | None]:
        """Returns a page of orders, the latest first, and the key of the next page, or None at the end."""
        where = {"customer_id": query.customer_id, "status": query.status and query.status.value}
        return await self.order_rows.page({name: value for name, value in where.items() if value}, query.page)

    async def search_offers(self, query: SearchOffers) -> tuple[list[tuple[OfferRow, Money]], Key | None]:
        """Returns a page of offers, sorted by name, with their current prices, and the key of the next page or None."""
        rows, after = await self.offer_rows.page(_conditions(query), query.page)
        now = self.clock.now()
        priced = [(row, price_at(row.list_price, row.promotion, now)) for row in rows if row.list_price is not None]
        return priced, after

    async def list_sales(self, query: ListSales) -> tuple[list[SalesRow], Key | None]:
        """Returns a page of daily sales, the latest first, and the key of the next page, or None at the end."""
        bounds = Between(query.first or None, query.last or None)
        return await self.sales_rows.page({"day": bounds} if query.first or query.last else {}, query.page)

    async def _prices(self, skus: Sequence[str], now: datetime) -> Mapping[str, Money]:
        """Returns the current price of each SKU that can be bought."""
        rows = await self.offer_rows.rows(skus)
        return {
            sku: price_at(row.list_price, row.promotion, now)
            for sku, row in rows.items()
            if row.offered and row.list_price is not None
        }

    async def _tier(self, customer_id: str) -> Tier:
        try:
            return (await self.buyers.get(customer_id)).state.tier if customer_id else Tier.STANDARD
        except NotFound:
            return Tier.STANDARD

    async def _kept(self, subject: str, destination: Destination) -> Delivery:
        """Stores an address in the personal data, where it can be erased, and returns a delivery that refers to it."""
        ref = await self.personal_data.keep(subject, destination.address)
        return Delivery(method=destination.method, country=destination.address["country"], address=ref)

    async def _changed_delivery(self, command: ChangeDraft) -> Delivery | None:
        draft = (await self.orders.get(command.order_id)).state
        known = draft.delivery
        if command.address is not None:
            method = command.method or (known.method if known else Method.STANDARD)
            destination = Destination(method=method, address=command.address)
            return await self._kept(draft.customer_id or draft.id, destination)
        if command.method is not None and known is not None:
            return Delivery(method=command.method, country=known.country, address=known.address)
        return None


def _conditions(query: SearchOffers) -> Where:
    """Returns the conditions of a search for offers that are for sale."""
    where: dict[str, Any] = {"offered": True}
    if query.text:
        where["words"] = Words(query.text)
    if query.category:
        where["category"] = query.category
    if query.lowest_price or query.highest_price:
        where["price"] = Between(query.lowest_price, query.highest_price or None)
    if query.available:
        where["in_stock"] = True
    return where


def _noted(order: Order, news: ShipmentNews) -> None:
    match news.kind:
        case "prepared":
            order.shipment_prepared()
        case "dispatched" if news.at is not None:
            order.dispatched(carrier=news.carrier, tracking_number=news.tracking_number, at=news.at)
        case "delivered" if news.at is not None:
            order.delivered(news.at)
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
