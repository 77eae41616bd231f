"""The steps of a return that other contexts take: asked over gRPC until they are answered."""

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
    """Inventory, as far as a return needs it."""

    async def take_back(self, order_id: str, return_id: str, pieces: Sequence[ReturnedPieces]) -> None:
        """Puts pieces into stock again, once. Raises DomainError if it never will."""
        ...


class Refunds(Protocol):
    """Payments, as far as a return needs it."""

    async def refund(self, order_id: str, refund_id: str, amount: Money) -> None:
        """Sees to it that money is given back, once. Raises DomainError if it never will be."""
        ...


@dataclass(frozen=True, slots=True)
class Returns:
    """Takes the steps of a return and tells its saga what came of each."""

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
        """Asks for the money; that it was given back is heard as an event."""
        try:
            await self.refunds.refund(command.order_id, command.return_id, command.amount)
        except DomainError as refusal:
            await self.saga.tell(StepRefused(return_id=command.return_id, reason=f"refunding: {refusal.message}"))
