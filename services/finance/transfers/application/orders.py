"""The use cases of standing orders."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.domain import Call
from treaty.projections import Key, View

from services.finance.transfers.application.commands import (
    EndOrder,
    InitiateTransfer,
    ListOrders,
    PlaceOrder,
    RunOrder,
)
from services.finance.transfers.application.ports import BankingDays
from services.finance.transfers.domain.events import OrderEvent, OrderPlaced, OrderRan
from services.finance.transfers.domain.order import Order
from services.finance.transfers.projections import OrderRow

_NAMESPACE = uuid.UUID("b6b7a8c4-3a43-5f2b-8f5d-0f6f3d1e2c11")


def transfer_of(order_id: str, due_on: str) -> str:
    """Returns the id of the transfer of a run: one for each order and date."""
    return str(uuid.uuid5(_NAMESPACE, f"{order_id}/{due_on}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """The use cases of standing orders."""

    orders: Repository[Order]
    order_rows: View[OrderRow]
    is_banking_day: BankingDays
    clock: Clock

    async def place(self, command: PlaceOrder) -> Committed[Order]:
        now = command.placed_at or self.clock.now()
        terms = replace(command.terms, reference=command.order_id)
        return await self.orders.add(
            command.order_id, lambda order: order.place(terms, command.schedule, now, self.is_banking_day)
        )

    async def end(self, command: EndOrder) -> Committed[Order]:
        return await self.orders.change(command.order_id, lambda order: order.end(command.by, command.reason))

    async def run(self, command: RunOrder) -> Committed[Order]:
        """Makes the runs that are due, when the timer fires."""
        now = self.clock.now()
        return await self.orders.change(
            command.order_id, lambda order: order.run(command.due, now, self.is_banking_day)
        )

    async def get(self, order_id: str) -> Committed[Order]:
        """Returns one order, as of its latest durable commit."""
        return await self.orders.get(order_id)

    async def list_orders(self, query: ListOrders) -> tuple[list[OrderRow], Key | None]:
        """Returns a page of orders, those first that began last, and the key of the next page, or None at the end."""
        wanted = {"payer": query.payer, "customer_id": query.customer_id}
        where: dict[str, str | bool] = {field: value for field, value in wanted.items() if value}
        if not query.with_ended:
            where["ended"] = False
        return await self.order_rows.page(where, query.page)


def make_runs(order: Order, event: OrderEvent) -> Iterator[Call]:
    """Policy: initiates the transfers of the runs, and sets the timer of the next one."""
    if isinstance(event, OrderRan) and order.terms is not None:
        for day in event.made:
            terms = replace(order.terms, due_on=day)
            yield Call(InitiateTransfer(transfer_id=transfer_of(order.id, day), terms=terms))
    if isinstance(event, OrderPlaced | OrderRan) and event.next_at is not None:
        yield Call(RunOrder(order_id=order.id, due=event.next_at), due=event.next_at)
