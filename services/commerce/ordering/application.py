"""What Ordering can do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from treaty.deciding import Committed
from treaty.effects import Call
from treaty.ports import Clock
from treaty.projections import Key, View
from treaty.repository import Repository

from services.commerce.money import Money
from services.commerce.ordering.domain import Line, Order, OrderCancelled, OrderEvent, OrderPlaced
from services.commerce.ordering.projections import OrderRow
from services.commerce.ordering.sagas import CancelOrder, CheckoutStarted, ConfirmOrder, OrderEnded

PAGE, LARGEST_PAGE = 50, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    order_id: str
    customer_id: str
    lines: Sequence[Line]
    expected: Money | None


@dataclass(frozen=True, slots=True)
class Ordering:
    """The use cases of Ordering.

    `answer_within` is how long an order waits for stock and payment before it is cancelled.
    """

    orders: Repository[Order]
    summaries: View[OrderRow]
    clock: Clock
    answer_within: timedelta

    async def place_order(self, command: PlaceOrder) -> Committed[Order]:
        """Places an order; it is pending until stock and payment have answered."""
        now = self.clock.now()
        return await self.orders.add(
            command.order_id,
            lambda order: order.place(
                customer_id=command.customer_id,
                lines=command.lines,
                expected=command.expected,
                placed_at=now,
                answer_by=now + self.answer_within,
            ),
        )

    async def confirm_order(self, command: ConfirmOrder) -> Committed[Order]:
        """Confirms a pending order."""
        return await self.orders.change(command.order_id, Order.confirm)

    async def cancel_order(self, command: CancelOrder) -> Committed[Order]:
        """Cancels an order, for the customer or for the checkout."""
        return await self.orders.change(command.order_id, lambda order: order.cancel(command.reason))

    async def get_order(self, order_id: str) -> Committed[Order]:
        """Returns one order."""
        return await self.orders.get(order_id)

    async def list_orders(
        self, *, customer_id: str = "", status: str = "", size: int = 0, after: Key | None = None
    ) -> tuple[list[OrderRow], Key | None]:
        """Returns a page of orders, the latest first, and where the next page starts."""
        where = {"customer_id": customer_id, "status": status}
        return await self.summaries.page(
            {name: value for name, value in where.items() if value},
            after=after,
            limit=min(size or PAGE, LARGEST_PAGE),
        )


def follow_checkout(order: Order, event: OrderEvent) -> Iterator[Call]:
    """Policy: a placed order starts its checkout, a cancelled one ends it."""
    match event:
        case OrderPlaced():
            yield Call(CheckoutStarted(order_id=order.id, answer_by=event.answer_by))
        case OrderCancelled():
            yield Call(OrderEnded(order_id=order.id))
