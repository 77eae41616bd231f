"""The checkout saga: confirms or cancels a placed order.

It is a choreography: it reacts to events of other contexts, and sends commands only to its own context.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from treaty.domain import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutStarted:
    order_id: str
    answer_by: datetime
    answer_within: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockAnswered:
    order_id: str
    allocated: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAnswered:
    order_id: str
    authorised: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLost:
    """The allocated pieces are free again, because their time has expired, or can no longer be sold.

    The order was not cancelled. An empty `reason` means that the pieces are free again.
    """

    order_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOverdue:
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEnded:
    order_id: str


CheckoutFact = CheckoutStarted | StockAnswered | StockLost | PaymentAnswered | AnswerOverdue | OrderEnded


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmOrder:
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    order_id: str
    reason: str


Command = ConfirmOrder | CancelOrder | Call


class Answer(StrEnum):
    WAITING = "waiting"
    YES = "yes"
    NO = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """The state of a checkout. After its end, only the loss of a confirmed order's stock or money changes anything."""

    stock: Answer = Answer.WAITING
    payment: Answer = Answer.WAITING
    confirmed: bool = False
    ended: bool = False
    stuck: str = ""


def checkout(state: Checkout, fact: CheckoutFact) -> tuple[Checkout, Sequence[Command]]:
    """Confirms the order when both answers are yes. Cancels it at the first no, or when the time is up."""
    if isinstance(fact, StockLost):
        return _lose(state, fact.order_id, fact.reason or "the stock was not held any longer")
    if isinstance(fact, PaymentAnswered) and not fact.authorised and state.confirmed:
        return _lose(state, fact.order_id, fact.reason)  # the money was held, and then it could not be taken
    if state.ended:
        return state, ()
    match fact:
        case CheckoutStarted():
            return state, [_timer(fact)]
        case StockAnswered():
            return _conclude(replace(state, stock=_answer(fact.allocated)), fact.order_id, fact.reason)
        case PaymentAnswered():
            return _conclude(replace(state, payment=_answer(fact.authorised)), fact.order_id, fact.reason)
        case AnswerOverdue():
            reason = f"no answer in time from {_missing(state)}"
            return replace(state, ended=True), [CancelOrder(order_id=fact.order_id, reason=reason)]
        case OrderEnded():
            return replace(state, ended=True), ()


def _timer(fact: CheckoutStarted) -> Call:
    overdue = AnswerOverdue(order_id=fact.order_id)
    if fact.answer_within is None:  # a fact that was stored before deadlines were durations
        return Call(overdue, due=fact.answer_by)
    return Call(overdue, after=fact.answer_within)


def _lose(state: Checkout, order_id: str, reason: str) -> tuple[Checkout, Sequence[Command]]:
    if state.ended and not state.confirmed:
        return state, ()
    return replace(state, ended=True, confirmed=False), [CancelOrder(order_id=order_id, reason=reason)]


def _answer(yes: bool) -> Answer:
    return Answer.YES if yes else Answer.NO


def _missing(state: Checkout) -> str:
    missing = {"stock": state.stock, "payment": state.payment}
    return " and ".join(name for name, answer in missing.items() if answer is Answer.WAITING)


def _conclude(state: Checkout, order_id: str, reason: str) -> tuple[Checkout, Sequence[Command]]:
    answers = (state.stock, state.payment)
    if Answer.NO in answers:
        return replace(state, ended=True), [CancelOrder(order_id=order_id, reason=reason)]
    if Answer.WAITING in answers:
        return state, ()
    return replace(state, ended=True, confirmed=True), [ConfirmOrder(order_id=order_id)]
