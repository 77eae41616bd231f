"""The return saga: waits for the goods, puts them into stock, and refunds their money.

It is an orchestration: it requests one step after another. Each step is requested from its context over gRPC until it
is answered. After a permanent refusal the return is stuck, with the reason, until a person resumes or ends it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from treaty.domain import Call

from services.commerce.money import Money
from services.commerce.ordering.domain.returns import RETURN_WITHIN


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedPieces:
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnOpened:
    return_id: str
    order_id: str
    pieces: tuple[ReturnedPieces, ...]
    refund: Money
    arrive_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsArrived:
    return_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsOverdue:
    return_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsRestocked:
    return_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyRefunded:
    return_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRefused:
    """A context refused a step for good."""

    return_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnResumed:
    return_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnAbandoned:
    return_id: str
    reason: str


ReturnFact = (
    ReturnOpened
    | GoodsArrived
    | GoodsOverdue
    | GoodsRestocked
    | MoneyRefunded
    | StepRefused
    | ReturnResumed
    | ReturnAbandoned
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restock:
    return_id: str
    order_id: str
    pieces: tuple[ReturnedPieces, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReturn:
    return_id: str
    order_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishReturn:
    return_id: str
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseReturn:
    return_id: str
    order_id: str
    reason: str


Command = Restock | RefundReturn | FinishReturn | CloseReturn | Call


class Step(StrEnum):
    AWAITING_GOODS = "awaiting goods"
    RESTOCKING = "restocking"
    REFUNDING = "refunding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Returning:
    """The state of a return. If the goods arrive before the return is opened, its steps start when it is opened."""

    order_id: str = ""
    pieces: tuple[ReturnedPieces, ...] = ()
    refund: Money | None = None
    step: Step = Step.AWAITING_GOODS
    arrived: bool = False
    refunded: bool = False
    ended: bool = False
    stuck: str = ""


def returning(state: Returning, fact: ReturnFact) -> tuple[Returning, Sequence[Command]]:
    """Restocks the goods when they have arrived, then refunds their money, then finishes the return."""
    if state.ended:
        return _refunded_late(state, fact)
    match fact:
        case ReturnOpened():
            return _opened(state, fact)
        case GoodsArrived():
            return _go_on(replace(state, arrived=True), fact.return_id)
        case GoodsOverdue():
            return _overdue(state, fact)
        case GoodsRestocked():
            return _restocked(state, fact)
        case MoneyRefunded():
            return _go_on(replace(state, refunded=True), fact.return_id)
        case StepRefused():
            return replace(state, stuck=fact.reason), ()
        case ReturnResumed():
            return _resumed(state, fact)
        case ReturnAbandoned():
            return replace(state, ended=True, stuck=""), _closing(state, fact.return_id, fact.reason)


def _refunded_late(state: Returning, fact: ReturnFact) -> tuple[Returning, Sequence[Command]]:
    """Has the order note the money of a return that was closed while it was given back."""
    if not isinstance(fact, MoneyRefunded) or state.refunded or not state.order_id:
        return state, ()
    return replace(state, refunded=True), [FinishReturn(return_id=fact.return_id, order_id=state.order_id)]


def _opened(state: Returning, fact: ReturnOpened) -> tuple[Returning, Sequence[Command]]:
    if state.order_id:
        return state, ()
    opened = replace(state, order_id=fact.order_id, pieces=fact.pieces, refund=fact.refund)
    timer = Call(GoodsOverdue(return_id=fact.return_id), after=RETURN_WITHIN)
    after, commands = _go_on(opened, fact.return_id)
    return after, [timer, *commands]


def _overdue(state: Returning, fact: GoodsOverdue) -> tuple[Returning, Sequence[Command]]:
    if state.arrived or not state.order_id:
        return state, ()
    return replace(state, ended=True), _closing(state, fact.return_id, "the goods did not come back in time")


def _restocked(state: Returning, fact: GoodsRestocked) -> tuple[Returning, Sequence[Command]]:
    if state.step is not Step.RESTOCKING:
        return state, ()
    after = replace(state, step=Step.REFUNDING, stuck="")
    return _go_on(after, fact.return_id) if after.refunded else (after, _asking(after, fact.return_id))


def _resumed(state: Returning, fact: ReturnResumed) -> tuple[Returning, Sequence[Command]]:
    if state.refunded and state.step is Step.REFUNDING:
        return _go_on(state, fact.return_id)
    if not state.stuck:
        return state, ()
    return replace(state, stuck=""), _asking(state, fact.return_id)


def _go_on(state: Returning, return_id: str) -> tuple[Returning, Sequence[Command]]:
    """Starts the first step once the goods have arrived, and finishes the return once the money is refunded."""
    if state.order_id and state.arrived and state.step is Step.AWAITING_GOODS:
        after = replace(state, step=Step.RESTOCKING)
        return after, _asking(after, return_id)
    if state.refunded and state.step is Step.REFUNDING:
        return replace(state, ended=True, stuck=""), [FinishReturn(return_id=return_id, order_id=state.order_id)]
    return state, ()


def _asking(state: Returning, return_id: str) -> Sequence[Command]:
    """Returns the commands of the current step."""
    if state.step is Step.RESTOCKING:
        return [Restock(return_id=return_id, order_id=state.order_id, pieces=state.pieces)]
    if state.step is Step.REFUNDING and state.refund is not None:
        return [RefundReturn(return_id=return_id, order_id=state.order_id, amount=state.refund)]
    return []


def _closing(state: Returning, return_id: str, reason: str) -> Sequence[Command]:
    """Returns the commands that close a return. Its order notes the money that was given back all the same."""
    if not state.order_id:
        return []
    close = CloseReturn(return_id=return_id, order_id=state.order_id, reason=reason)
    return [close, FinishReturn(return_id=return_id, order_id=state.order_id)] if state.refunded else [close]
