"""The returns of a delivered order, and the pieces that may still be returned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from treaty.domain import Invalid, Rejected

from services.commerce.money import Money
from services.commerce.ordering.domain.events import (
    OrderRefunded,
    ReturnClosed,
    ReturnCompleted,
    ReturnReceived,
    ReturnRequested,
)
from services.commerce.ordering.domain.pricing import Line, Totals, refund_for

RETURN_WITHIN = timedelta(days=30)
"""The time after the delivery within which goods may be sent back."""


class ReturnStatus(StrEnum):
    OPEN = "open"
    RECEIVED = "received"
    COMPLETED = "completed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """Pieces of an order that the customer sends back."""

    return_id: str
    lines: tuple[Line, ...]
    refund: Money
    arrive_by: datetime
    status: ReturnStatus = ReturnStatus.OPEN
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money of an order that was given back and belongs to no return."""

    refund_id: str
    amount: Money
    delivered: bool = True


def requested(
    return_id: str, lines: tuple[Line, ...], totals: Totals, refunds: Sequence[Refund], reason: str, now: datetime
) -> ReturnRequested:
    """Returns the event that opens a return of lines, with the money that they are worth.

    Raises:
        Rejected: REFUND_EXISTS, if the money of this return was given back before it was requested.
    """
    if any(one.refund_id == return_id for one in refunds):
        raise Rejected(f"{return_id} is the id of a refund: request the return under a new id", reason="REFUND_EXISTS")
    return ReturnRequested(
        return_id=return_id,
        lines=lines,
        refund=refund_for(lines, totals),
        reason=reason,
        arrive_by=now + RETURN_WITHIN,
    )


def lines_to_return(
    lines: Sequence[Line], returns: Sequence[Return], refunds: Sequence[Refund], wanted: Mapping[str, int]
) -> tuple[Line, ...]:
    """Returns the lines of a new return.

    Args:
        wanted: the pieces to return, by SKU. If it is empty, all pieces that the customer still has are returned.

    Raises:
        Rejected: if the customer has fewer pieces than are wanted, or has none.
        Invalid: if a SKU is not in the order.
    """
    out = _still_out(lines, returns, refunds)
    unknown = [sku for sku in wanted if sku not in out]
    if unknown:
        raise Invalid(f"{', '.join(unknown[:5])} is not in the order", field="pieces.sku")
    asked = wanted or {sku: pieces for sku, pieces in out.items() if pieces}
    beyond = [sku for sku, pieces in asked.items() if pieces > out[sku]]
    if beyond or not asked:
        raise Rejected(
            f"no more of {', '.join(beyond[:5]) or 'the order'} can be sent back", reason="NOTHING_TO_RETURN"
        )
    return tuple(replace(line, quantity=asked[line.sku]) for line in lines if line.sku in asked)


def refunded_by(returns: Sequence[Return], refund_id: str, amount: Money) -> Return | None:
    """Returns the return that a refund belongs to; None for another refund, such as for goodwill."""
    return next((one for one in returns if one.return_id == refund_id and one.refund == amount), None)


def is_noted(refund_id: str, amount: Money, returns: Sequence[Return], refunds: Sequence[Refund]) -> bool:
    """Returns whether a refund is recorded already, or will be when its return is completed."""
    one = refunded_by(returns, refund_id, amount)
    if one is not None and one.status is not ReturnStatus.CLOSED:
        return True
    return any(refund.refund_id == refund_id for refund in refunds)


def refunds_after(refunds: Sequence[Refund], event: OrderRefunded) -> tuple[Refund, ...]:
    """Returns an order's refunds after an event."""
    return (*refunds, Refund(refund_id=event.refund_id, amount=event.amount, delivered=event.delivered))


def refunded_before(refunds: Sequence[Refund]) -> int:
    """Returns what was given back before the delivery, in minor units."""
    return sum(one.amount.minor_units for one in refunds if not one.delivered)


def _still_out(lines: Sequence[Line], returns: Sequence[Return], refunds: Sequence[Refund]) -> dict[str, int]:
    """Returns the number of delivered pieces of each SKU that can be returned.

    A closed return does not count, unless its money was given back all the same.
    """
    out = {line.sku: line.quantity for line in lines}
    given_back = {(refund.refund_id, refund.amount) for refund in refunds}
    for one in returns:
        if one.status is not ReturnStatus.CLOSED or (one.return_id, one.refund) in given_back:
            for line in one.lines:
                out[line.sku] -= line.quantity
    return {sku: max(pieces, 0) for sku, pieces in out.items()}


def returns_after(
    returns: Sequence[Return], event: ReturnRequested | ReturnReceived | ReturnCompleted | ReturnClosed
) -> tuple[Return, ...]:
    """Returns an order's returns after an event."""
    match event:
        case ReturnRequested(return_id=id):
            return (*returns, Return(return_id=id, lines=event.lines, refund=event.refund, arrive_by=event.arrive_by))
        case ReturnReceived(return_id=id):
            return _with_status(returns, id, ReturnStatus.RECEIVED)
        case ReturnCompleted(return_id=id):
            return _with_status(returns, id, ReturnStatus.COMPLETED)
        case ReturnClosed(return_id=id):
            return _with_status(returns, id, ReturnStatus.CLOSED, event.reason)


def _with_status(
    returns: Sequence[Return], return_id: str, status: ReturnStatus, reason: str = ""
) -> tuple[Return, ...]:
    return tuple(replace(one, status=status, reason=reason) if one.return_id == return_id else one for one in returns)
