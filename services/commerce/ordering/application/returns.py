"""The steps of a return in other contexts, and the refunds of Payments.

Each step is requested over gRPC until it is answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from treaty.clock import Clock
from treaty.commits import Repository
from treaty.domain import DomainError
from treaty.sagas import Saga

from services.commerce.money import Money
from services.commerce.ordering.application.commands import NoteRefund, NoteRefusedRefund
from services.commerce.ordering.domain.order import Order
from services.commerce.ordering.domain.returns import refunded_by
from services.commerce.ordering.sagas.returns import (
    GoodsRestocked,
    MoneyRefunded,
    RefundReturn,
    Restock,
    ReturnedPieces,
    Returning,
    StepRefused,
)


class Stock(Protocol):
    """The port to Inventory."""

    async def take_back(self, order_id: str, return_id: str, pieces: Sequence[ReturnedPieces]) -> None:
        """Puts pieces into stock again, once for each return. Raises DomainError if Inventory refuses for good."""
        ...


class Refunds(Protocol):
    """The port to Payments."""

    async def refund(self, order_id: str, refund_id: str, amount: Money) -> None:
        """Requests a refund, once for each `refund_id`. Raises DomainError if Payments refuses for good."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """Requests the steps of a return, and sends the results to its saga."""

    orders: Repository[Order]
    saga: Saga[Returning]
    stock: Stock
    refunds: Refunds
    clock: Clock

    async def restock(self, command: Restock) -> None:
        try:
            await self.stock.take_back(command.order_id, command.return_id, command.pieces)
        except DomainError as refusal:
            await self.saga.tell(StepRefused(return_id=command.return_id, reason=f"restocking: {refusal.message}"))
        else:
            await self.saga.tell(GoodsRestocked(return_id=command.return_id))

    async def refund(self, command: RefundReturn) -> None:
        """Requests the refund. The saga receives its completion as an event."""
        try:
            await self.refunds.refund(command.order_id, command.return_id, command.amount)
        except DomainError as refusal:
            await self.saga.tell(StepRefused(return_id=command.return_id, reason=f"refunding: {refusal.message}"))

    async def note_refund(self, command: NoteRefund) -> None:
        """Records a refund: a return goes on, and any other refund, such as for goodwill, is noted on its order."""
        now = self.clock.now()
        noted = await self.orders.add(
            command.order_id, lambda order: order.refunded(command.refund_id, command.amount, now)
        )
        if refunded_by(noted.state.returns, command.refund_id, command.amount) is not None:
            await self.saga.tell(MoneyRefunded(return_id=command.refund_id))

    async def note_refused_refund(self, command: NoteRefusedRefund) -> None:
        """Stops a return whose refund was refused, until a person resumes or ends it."""
        order = (await self.orders.get(command.order_id)).state
        if refunded_by(order.returns, command.refund_id, command.amount) is not None:
            await self.saga.tell(StepRefused(return_id=command.refund_id, reason=f"refunding: {command.reason}"))
