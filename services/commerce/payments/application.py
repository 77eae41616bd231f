"""What Payments can do."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from treaty.deciding import Committed
from treaty.effects import Call
from treaty.repository import Repository

from services.commerce.money import Money
from services.commerce.payments.domain import (
    CaptureStarted,
    Payment,
    PaymentEvent,
    PaymentFailed,
    PaymentRequested,
    RefundStarted,
    Status,
    VoidStarted,
)


class Verdict(StrEnum):
    """What the gateway says to a request for money."""

    APPROVED = "approved"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The gateway's verdict, and its reason in words."""

    verdict: Verdict
    reason: str = ""


class GatewayTimeout(Exception):
    """The gateway did not answer in time; whether it holds the money is unknown."""


class GatewayAway(Exception):
    """The gateway cannot be reached. Nothing was asked of it; try again."""


class Gateway(Protocol):
    """The payment gateway. `reference` is ours; asking twice with the same one changes nothing."""

    async def authorise(self, reference: str, amount: Money) -> Answer:
        """Asks it to hold the money.

        Raises:
            GatewayTimeout, GatewayAway
        """
        ...

    async def capture(self, reference: str, amount: Money) -> None:
        """Takes money that is held. Raises GatewayTimeout or GatewayAway: try again."""
        ...

    async def void(self, reference: str) -> None:
        """Gives up what is held, or may be held, now or later. Raises GatewayTimeout or GatewayAway: try again."""
        ...

    async def refund(self, reference: str, amount: Money) -> None:
        """Gives captured money back. Raises GatewayTimeout or GatewayAway: try again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPayment:
    order_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmPayment:
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPayment:
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorise:
    order_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    order_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    order_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Payments:
    """The use cases of Payments. What is asked of the gateway is a call: it follows a commit, until it is answered."""

    payments: Repository[Payment]
    gateway: Gateway

    async def request_payment(self, command: RequestPayment) -> Committed[Payment]:
        """Asks for the money of a placed order."""
        return await self.payments.add(command.order_id, lambda payment: payment.request(command.amount))

    async def confirm_payment(self, command: ConfirmPayment) -> Committed[Payment]:
        """Takes the money of a confirmed order."""
        return await self.payments.add(command.order_id, Payment.confirm)

    async def cancel_payment(self, command: CancelPayment) -> Committed[Payment]:
        """Gives back the money of a cancelled order, or never takes it."""
        return await self.payments.add(command.order_id, Payment.cancel)

    async def get_payment(self, order_id: str) -> Committed[Payment]:
        """Returns the payment of an order."""
        return await self.payments.get(order_id)

    async def authorise(self, command: Authorise) -> None:
        """Asks the gateway to hold the money, and notes what it says."""
        payment = await self.payments.get(command.order_id)
        if payment.state.status is not Status.REQUESTED:
            return
        try:
            answer = await self.gateway.authorise(command.order_id, command.amount)
        except GatewayTimeout:
            await self.payments.change(
                command.order_id, lambda payment: payment.fail("the gateway did not answer in time", reversal=True)
            )
        else:
            await self.payments.change(command.order_id, lambda payment: _note(payment, answer))

    async def capture(self, command: Capture) -> None:
        """Takes the money that the gateway holds."""
        await self.gateway.capture(command.order_id, command.amount)
        await self.payments.change(command.order_id, Payment.captured)

    async def void(self, command: Void) -> None:
        """Gives up what the gateway holds."""
        await self.gateway.void(command.order_id)
        await self.payments.change(command.order_id, Payment.voided)

    async def refund(self, command: Refund) -> None:
        """Gives captured money back."""
        await self.gateway.refund(command.order_id, command.amount)
        await self.payments.change(command.order_id, Payment.refunded)


def _note(payment: Payment, answer: Answer) -> None:
    if answer.verdict is Verdict.APPROVED:
        payment.authorised()
    else:
        payment.fail(answer.reason, reversal=False)


def ask_gateway(payment: Payment, event: PaymentEvent) -> Iterator[Call]:
    """Policy: what the gateway is to be asked after each event."""
    amount = payment.amount
    match event:
        case PaymentRequested():
            yield Call(Authorise(order_id=payment.id, amount=event.amount))
        case CaptureStarted() if amount is not None:
            yield Call(Capture(order_id=payment.id, amount=amount))
        case VoidStarted() | PaymentFailed(reversal=True):
            yield Call(Void(order_id=payment.id))
        case RefundStarted() if amount is not None:
            yield Call(Refund(order_id=payment.id, amount=amount))
        case _:
            return
