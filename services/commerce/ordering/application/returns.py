"""The steps of a return in other contexts. Each step is requested over gRPC until it is answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from treaty.domain import DomainError
from treaty.sagas import Saga

from services.commerce.money import Money
from services.commerce.ordering.sagas.returns import (
    GoodsRestocked,
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

    saga: Saga[Returning]
    stock: Stock
    refunds: Refunds

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
