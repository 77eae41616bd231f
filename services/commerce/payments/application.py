"""The use cases of Payments, with their commands, and the port to the gateway."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.dependencies import DependencyAway
from treaty.domain import Call, NotFound

from services.commerce.money import Money
from services.commerce.payments.domain.events import (
    ApprovedTooLate,
    CaptureStarted,
    PaymentEvent,
    PaymentFailed,
    PaymentRequested,
    RefundStarted,
    VoidStarted,
)
from services.commerce.payments.domain.method import PaymentMethod
from services.commerce.payments.domain.payment import Payment, Status


class Verdict(StrEnum):
    """The gateway's decision on a request for money."""

    APPROVED = "approved"
    DECLINED = "declined"
    IN_PROGRESS = "in progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The gateway's verdict, and its reason in words."""

    verdict: Verdict
    reason: str = ""


class GatewayTimeout(Exception):
    """The gateway did not answer in time; whether it holds the money is unknown."""


class GatewayAway(DependencyAway):
    """The gateway cannot be reached, or did not carry out the request. Try again."""

    dependency = "gateway"


class GatewayRefused(Exception):
    """The gateway will never carry out the request. The message has the reason."""


class Gateway(Protocol):
    """The port to the payment gateway. `reference` is our id: a repeated request with the same one changes nothing.

    `GatewayTimeout` and `GatewayAway` mean: try again.
    """

    async def authorise(self, reference: str, amount: Money, token: str = "") -> Answer:
        """Requests that the gateway holds the money of the payment method with a token.

        Without a token, the payer chooses a method with the gateway, under our reference.

        Raises:
            GatewayTimeout, GatewayAway
        """
        ...

    async def capture(self, reference: str, amount: Money) -> None:
        """Captures money that is held. Raises GatewayTimeout, GatewayAway or GatewayRefused."""
        ...

    async def void(self, reference: str) -> None:
        """Releases money that is held or may be held later. Raises GatewayTimeout, GatewayAway or GatewayRefused."""
        ...

    async def refund(self, reference: str, refund_id: str, amount: Money) -> None:
        """Refunds captured money, once for each `refund_id`. Raises GatewayTimeout, GatewayAway or GatewayRefused."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPayment:
    order_id: str
    amount: Money
    customer_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMethod:
    customer_id: str
    token: str
    label: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetMethod:
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPayment:
    order_id: str
    refund_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteVerdict:
    """A verdict that the gateway sends later, by a callback."""

    order_id: str
    answer: Answer


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
    """Stored in version 2. Version 1 had no `refund_id`, because the only refund was that of a cancellation."""

    order_id: str
    amount: Money
    refund_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payments:
    """The use cases of Payments.

    Every request to the gateway is a call: it runs after a commit and is repeated until it is answered.
    """

    payments: Repository[Payment]
    methods: Repository[PaymentMethod]
    gateway: Gateway
    clock: Clock

    async def request_payment(self, command: RequestPayment) -> Committed[Payment]:
        """Requests the money of a placed order, by the customer's payment method if there is one."""
        method, now = await self._method(command.customer_id), self.clock.now()
        return await self.payments.add(
            command.order_id,
            lambda payment: payment.request(
                command.amount,
                customer_id=command.customer_id,
                token=method.token,
                label=method.label,
                expired=method.has_expired(now),
            ),
        )

    async def register_method(self, command: RegisterMethod) -> Committed[PaymentMethod]:
        """Stores the payment method for the later orders of a customer."""
        return await self.methods.add(
            command.customer_id,
            lambda method: method.register(token=command.token, label=command.label, expires_at=command.expires_at),
        )

    async def forget_method(self, command: ForgetMethod) -> Committed[PaymentMethod]:
        """Removes the payment method of a customer who was forgotten."""
        return await self.methods.add(command.customer_id, PaymentMethod.forget)

    async def refund_payment(self, command: RefundPayment) -> Committed[Payment]:
        """Refunds a part of the captured money, or all that is left."""
        return await self.payments.change(
            command.order_id, lambda payment: payment.refund(command.refund_id, command.amount)
        )

    async def note_verdict(self, command: NoteVerdict) -> None:
        """Records a verdict that the gateway sent by a callback."""
        await self.payments.change(command.order_id, lambda payment: _note(payment, command.answer))

    async def confirm_payment(self, command: ConfirmPayment) -> Committed[Payment]:
        """Captures the money of a confirmed order, once it is authorised."""
        return await self.payments.add(command.order_id, Payment.confirm)

    async def cancel_payment(self, command: CancelPayment) -> Committed[Payment]:
        """Gives back the money of a cancelled order, or does not take it."""
        return await self.payments.add(command.order_id, Payment.cancel)

    async def get_payment(self, order_id: str) -> Committed[Payment]:
        return await self.payments.get(order_id)

    async def authorise(self, command: Authorise) -> None:
        """Requests that the gateway holds the money, and records its answer."""
        payment = await self.payments.get(command.order_id)
        if payment.state.status is not Status.REQUESTED:
            return
        try:
            answer = await self.gateway.authorise(command.order_id, command.amount, payment.state.token)
        except GatewayTimeout:
            await self.payments.change(
                command.order_id, lambda payment: payment.fail("the gateway did not answer in time", reversal=True)
            )
        else:
            await self.payments.change(command.order_id, lambda payment: _note(payment, answer))

    async def capture(self, command: Capture) -> None:
        """Captures the money that the gateway holds, and records it, or that the gateway refused."""
        try:
            await self.gateway.capture(command.order_id, command.amount)
        except GatewayRefused as refusal:
            why = str(refusal)
            await self.payments.change(command.order_id, lambda payment: payment.capture_refused(why))
        else:
            await self.payments.change(command.order_id, Payment.captured)

    async def void(self, command: Void) -> None:
        """Releases the money that the gateway holds, and records it, or that the gateway refused."""
        try:
            await self.gateway.void(command.order_id)
        except GatewayRefused as refusal:
            why = str(refusal)
            await self.payments.change(command.order_id, lambda payment: payment.void_refused(why))
        else:
            await self.payments.change(command.order_id, Payment.voided)

    async def refund(self, command: Refund) -> None:
        """Refunds captured money, and records it, or that the gateway refused."""
        try:
            await self.gateway.refund(command.order_id, command.refund_id, command.amount)
        except GatewayRefused as refusal:
            why = str(refusal)
            await self.payments.change(command.order_id, lambda payment: payment.refund_refused(command.refund_id, why))
        else:
            await self.payments.change(command.order_id, lambda payment: payment.refunded(command.refund_id))

    async def _method(self, customer_id: str) -> PaymentMethod:
        """Returns the payment method of a customer, or a blank one for a guest and for a customer without a method."""
        try:
            return (await self.methods.get(customer_id)).state if customer_id else PaymentMethod(id="")
        except NotFound:
            return PaymentMethod(id=customer_id)


def _note(payment: Payment, answer: Answer) -> None:
    match answer.verdict:
        case Verdict.APPROVED:
            payment.authorised()
        case Verdict.DECLINED:
            payment.fail(answer.reason, reversal=False)
        case Verdict.IN_PROGRESS:
            payment.await_verdict()


def ask_gateway(payment: Payment, event: PaymentEvent) -> Iterator[Call]:
    """Policy: sends the request to the gateway that follows from an event."""
    amount = payment.amount
    match event:
        case PaymentRequested() if payment.status is Status.REQUESTED:
            yield Call(Authorise(order_id=payment.id, amount=event.amount))
        case CaptureStarted() if amount is not None:
            yield Call(Capture(order_id=payment.id, amount=amount))
        case VoidStarted() | PaymentFailed(reversal=True) | ApprovedTooLate():
            yield Call(Void(order_id=payment.id))
        case RefundStarted():
            yield from _give_back(payment, event.refund_id)
        case _:
            return


def _give_back(payment: Payment, refund_id: str) -> Iterator[Call]:
    for one in payment.refunds:
        if one.refund_id == refund_id and not one.refused:
            yield Call(Refund(order_id=payment.id, amount=one.amount, refund_id=refund_id))
