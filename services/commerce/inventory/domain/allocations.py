"""The allocation aggregate: the pieces that are reserved for an order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from treaty.domain import Aggregate, Invalid, Rejected

from services.commerce.inventory.domain.events import (
    AllocationCancelled,
    AllocationEvent,
    AllocationFulfilled,
    AllocationRequested,
    AllocationSecured,
    OrderAllocated,
    OrderCompleted,
    OrderConfirmed,
    OrderNotAllocated,
    OrderReleased,
    PiecesReturned,
)
from services.commerce.inventory.domain.values import AllocatedLine, Lines, Release


class Status(StrEnum):
    """The pieces of a `CANCELLED` allocation are being freed. Once all are free, it is `RELEASED`."""

    NEW = "new"
    REQUESTED = "requested"
    ALLOCATED = "allocated"
    SECURED = "secured"
    FULFILLED = "fulfilled"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """Returned pieces. They go back to the warehouses they came from."""

    return_id: str
    lines: Lines


_OVER = (Status.REFUSED, Status.CANCELLED, Status.RELEASED, Status.FULFILLED)


@dataclass(slots=True, kw_only=True)
class Allocation(Aggregate[AllocationEvent]):
    """The pieces that are reserved for one order. Its id is the order's.

    The state of the order (`confirmed`, `completed`) and the state of its pieces (`status`) change independently, in
    any sequence. After each change, `_go_on` brings the state of the pieces in line with the state of the order.
    """

    status: Status = Status.NEW
    lines: Lines = ()
    expires_at: datetime | None = None
    confirmed: bool = False
    completed: bool = False
    reason: Release | None = None
    returns: tuple[Return, ...] = ()

    def request(self, lines: Sequence[AllocatedLine]) -> None:
        """Starts the allocation. Does nothing if it was started before, or if the order was cancelled first."""
        if self.status is Status.NEW:
            self.record(AllocationRequested(lines=tuple(lines)))

    def complete(self, expires_at: datetime, held: timedelta) -> None:
        """Records that all lines are reserved and `held` for so long, unless the order is confirmed.

        `expires_at` is an estimate of when that time ends.
        """
        self._must_be(Status.REQUESTED)
        self.record(OrderAllocated(expires_at=expires_at, held=held))
        self._go_on()

    def refuse(self, sku: str, reason: str) -> None:
        """Records that one line could not be reserved, and that the other lines are free again."""
        self._must_be(Status.REQUESTED)
        self.record(OrderNotAllocated(sku=sku, reason=reason))

    def confirm(self) -> None:
        """Records that the order is confirmed, so its pieces no longer expire. Released pieces stay released."""
        if self.status not in _OVER and not self.confirmed:
            self.record(OrderConfirmed())
            self._go_on()

    def fulfil(self) -> None:
        """Records that the order is completed, so its pieces have left for good."""
        if self.status not in _OVER and not self.completed:
            self.record(OrderCompleted())
            self._go_on()

    def cancel(self) -> None:
        """Records that the order is cancelled and its reserved pieces must be freed.

        Raises:
            RuntimeError: if the allocation is not finished yet.
        """
        if self.status is Status.REQUESTED:
            raise RuntimeError(f"the allocation of order {self.id} is not finished, so it cannot be cancelled yet")
        if self.status not in _OVER:
            self.record(AllocationCancelled())

    def expire(self) -> None:
        """Cancels the allocation because its time is over. Does nothing if it is secured, or if it has ended."""
        if self.status is Status.ALLOCATED:
            self.record(AllocationCancelled(reason=Release.EXPIRED))

    def release(self) -> None:
        """Records that all pieces are free again."""
        self._must_be(Status.CANCELLED)
        self.record(OrderReleased(lines=self.lines, reason=self.reason or Release.ORDER_CANCELLED))

    def take_back(self, return_id: str, pieces: Mapping[str, int]) -> None:
        """Records returned pieces, by SKU. They go back to the warehouses they came from.

        Does nothing if the same return is recorded already.

        Raises:
            Rejected: NOT_DELIVERED, or TOO_MANY_RETURNED if the customer has fewer pieces.
            Invalid: if the return is recorded with other pieces, or a quantity is not positive.
        """
        known = self.returned_as(return_id)
        if known is not None:
            if _by_sku(known.lines) != dict(pieces):
                raise Invalid(f"return {return_id} is recorded with other pieces already", field="return_id")
            return
        if self.status is not Status.FULFILLED:
            raise Rejected(f"order {self.id} is not delivered, so nothing can be returned", reason="NOT_DELIVERED")
        self.record(PiecesReturned(return_id=return_id, lines=self._picked(pieces)))

    def returned_as(self, return_id: str) -> Return | None:
        """Returns the return with an id, or None."""
        return next((known for known in self.returns if known.return_id == return_id), None)

    @property
    def outstanding(self) -> Lines:
        """The lines without the returned pieces: pieces that are reserved, or that the customer has."""
        returned = _by_item([line for known in self.returns for line in known.lines])
        left = (replace(line, quantity=line.quantity - returned.get(line.stock_id, 0)) for line in self.lines)
        return tuple(line for line in left if line.quantity)

    def _picked(self, pieces: Mapping[str, int]) -> Lines:
        picked: list[AllocatedLine] = []
        for sku, quantity in pieces.items():
            if quantity <= 0:
                raise Invalid(f"{quantity} pieces of {sku} cannot be returned", field="pieces")
            out = [line for line in self.outstanding if line.sku == sku]
            left = sum(line.quantity for line in out)
            if quantity > left:
                raise Rejected(
                    f"only {left} {sku} of order {self.id} can still be returned, not {quantity}",
                    reason="TOO_MANY_RETURNED",
                )
            for line in out:
                taken = min(quantity, line.quantity)
                quantity -= taken
                if taken:
                    picked.append(replace(line, quantity=taken))
        return tuple(picked)

    def _go_on(self) -> None:
        if self.completed and self.status in (Status.ALLOCATED, Status.SECURED):
            self.record(AllocationFulfilled())
        elif self.confirmed and self.status is Status.ALLOCATED:
            self.record(AllocationSecured())

    def _must_be(self, status: Status) -> None:
        if self.status is not status:
            raise Rejected(f"the allocation of order {self.id} is {self.status}, not {status}")

    def evolve(self, event: AllocationEvent) -> None:
        match event:
            case AllocationRequested():
                self.status, self.lines = Status.REQUESTED, event.lines
            case OrderAllocated():
                self.status, self.expires_at = Status.ALLOCATED, event.expires_at
            case OrderNotAllocated():
                self.status, self.lines = Status.REFUSED, ()
            case OrderConfirmed():
                self.confirmed = True
            case OrderCompleted():
                self.completed = True
            case AllocationSecured():
                self.status, self.expires_at = Status.SECURED, None
            case AllocationFulfilled():
                self.status, self.expires_at = Status.FULFILLED, None
            case AllocationCancelled():
                self.status, self.expires_at, self.reason = Status.CANCELLED, None, event.reason
            case OrderReleased():
                self.status, self.lines = Status.RELEASED, ()
            case PiecesReturned():
                self.returns = (*self.returns, Return(return_id=event.return_id, lines=event.lines))


def _by_sku(lines: Sequence[AllocatedLine]) -> Mapping[str, int]:
    return _sums((line.sku, line.quantity) for line in lines)


def _by_item(lines: Sequence[AllocatedLine]) -> Mapping[str, int]:
    return _sums((line.stock_id, line.quantity) for line in lines)


def _sums(pairs: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    sums: dict[str, int] = {}
    for key, quantity in pairs:
        sums[key] = sums.get(key, 0) + quantity
    return sums
