"""The order aggregate: from an optional draft to the delivery, the cancellation or the return."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from treaty.domain import Aggregate, Invalid, NotFound, Rejected

from services.commerce.money import Money
from services.commerce.ordering.domain.events import (
    AddressChanged,
    CancellationRefused,
    CancellationRequested,
    DraftChanged,
    DraftStarted,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderDispatched,
    OrderEvent,
    OrderPlaced,
    OrderRefunded,
    ReturnClosed,
    ReturnCompleted,
    ReturnReceived,
    ReturnRequested,
    ShipmentPrepared,
)
from services.commerce.ordering.domain.pricing import (
    Delivery,
    Line,
    Tier,
    Totals,
    check_lines,
    check_prices,
    totals_of,
)
from services.commerce.ordering.domain.returns import (
    RETURN_WITHIN,
    Refund,
    Return,
    ReturnStatus,
    is_noted,
    lines_to_return,
    refunded_before,
    refunds_after,
    requested,
    returns_after,
)
from services.commerce.ordering.domain.status import Status


@dataclass(slots=True, kw_only=True)
class Order(Aggregate[OrderEvent]):
    """One order. The `customer_id` of a guest is empty."""

    status: Status = Status.NEW
    customer_id: str = ""
    lines: tuple[Line, ...] = ()
    totals: Totals | None = None
    delivery: Delivery | None = None
    tier: Tier = Tier.STANDARD
    placed_at: datetime | None = None
    answer_by: datetime | None = None
    completed_at: datetime | None = None
    carrier: str = ""
    tracking_number: str = ""
    reason: str = ""
    returns: tuple[Return, ...] = ()
    refunds: tuple[Refund, ...] = ()

    def draft(self, *, customer_id: str, lines: Sequence[Line]) -> None:
        """Starts the order as a draft, which can still be changed."""
        if self.status is not Status.NEW:
            raise Rejected(f"order {self.id} exists already", reason="ORDER_EXISTS_ALREADY")
        if lines:
            check_lines(lines)
        self.record(DraftStarted(customer_id=customer_id, lines=tuple(lines)))

    def change_draft(self, *, put: Sequence[Line], remove: Sequence[str], delivery: Delivery | None) -> None:
        """Changes the lines of a draft, and its delivery if there is one. A line in `put` replaces that of its SKU."""
        self._must_be(Status.DRAFT)
        gone = {*remove, *(line.sku for line in put)}
        lines = (*(line for line in self.lines if line.sku not in gone), *put)
        if lines:
            check_lines(lines)
        changed = DraftChanged(lines=lines, delivery=delivery or self.delivery)
        if (changed.lines, changed.delivery) != (self.lines, self.delivery):
            self.record(changed)

    def place(
        self,
        *,
        customer_id: str,
        lines: Sequence[Line],
        delivery: Delivery,
        tier: Tier,
        prices: Mapping[str, Money],
        expected: Money | None,
        placed_at: datetime,
        answer_by: datetime,
    ) -> None:
        """Places the order, if it is valid and has the prices and the total that the customer expects."""
        if self.status not in (Status.NEW, Status.DRAFT):
            raise Rejected(f"order {self.id} is placed already", reason="ORDER_PLACED_ALREADY")
        check_lines(lines)
        check_prices(lines, prices)
        totals = totals_of(lines, delivery, tier)
        if expected is not None and expected != totals.total:
            raise Invalid(f"the order costs {totals.total}, not {expected}", field="total", reason="TOTAL_DIFFERS")
        self.record(
            OrderPlaced(
                customer_id=customer_id,
                lines=tuple(lines),
                totals=totals,
                delivery=delivery,
                tier=tier,
                placed_at=placed_at,
                answer_by=answer_by,
            )
        )

    def place_draft(
        self,
        *,
        tier: Tier,
        prices: Mapping[str, Money],
        expected: Money | None,
        placed_at: datetime,
        answer_by: datetime,
    ) -> None:
        """Places the draft with its current lines and delivery."""
        self._must_be(Status.DRAFT)
        if self.delivery is None:
            raise Rejected(f"order {self.id} has no delivery address yet", reason="ADDRESS_MISSING")
        self.place(
            customer_id=self.customer_id,
            lines=self.lines,
            delivery=self.delivery,
            tier=tier,
            prices=prices,
            expected=expected,
            placed_at=placed_at,
            answer_by=answer_by,
        )

    def change_address(self, delivery: Delivery) -> None:
        """Changes the delivery address of a pending order.

        Shipping reads the address once it has received the confirmation, so it reads the last one that was accepted.
        """
        if self.status in (Status.CONFIRMED, Status.CANCELLING):
            raise Rejected(
                f"the shipment of order {self.id} is being prepared: cancel the order and place a new one",
                reason="SHIPMENT_PREPARED",
            )
        if self.status is not Status.PENDING or self.delivery is None:
            raise self._is_not_possible()
        changed = self.delivery.moved_to(delivery)
        if changed != self.delivery:
            self.record(AddressChanged(delivery=changed))

    def confirm(self) -> None:
        """Confirms the order: stock and payment are there. Does nothing if it is confirmed already."""
        if self.status in (Status.NEW, Status.DRAFT, Status.CANCELLED):
            raise self._is_not_possible()
        if self.status is Status.PENDING:
            self.record(OrderConfirmed())

    def cancel(self, reason: str) -> None:
        """Cancels the order.

        If the order is confirmed, its shipment must be stopped first, so this only requests the cancellation. Does
        nothing if the order is cancelled already, or if its cancellation is requested already.
        """
        why = reason or "cancelled by the customer"
        match self.status:
            case Status.DRAFT | Status.PENDING:
                self.record(OrderCancelled(reason=why))
            case Status.CONFIRMED:
                self.record(CancellationRequested(reason=why))
            case Status.NEW | Status.DISPATCHED | Status.COMPLETED:
                raise self._is_not_possible()

    def shipment_stopped(self, why: str) -> None:
        """Cancels the order: its shipment will never start. An order that requested that keeps its own reason."""
        if self.status is Status.CANCELLING:
            self.record(OrderCancelled(reason=self.reason))
        elif self.status in (Status.PENDING, Status.CONFIRMED):
            self.record(OrderCancelled(reason=f"its shipment was stopped: {why}"))

    def shipment_not_stopped(self, why: str) -> None:
        """Records that it was too late to stop the shipment. The order goes on."""
        if self.status is Status.CANCELLING:
            self.record(CancellationRefused(reason=f"it could not be cancelled: {why}"))

    def shipment_prepared(self) -> None:
        if self.status is Status.CONFIRMED:
            self.record(ShipmentPrepared())

    def dispatched(self, *, carrier: str, tracking_number: str, at: datetime) -> None:
        """Records that the carrier has the goods, even if a cancellation was requested meanwhile."""
        if self.status in (Status.PENDING, Status.CONFIRMED, Status.CANCELLING):
            self.record(OrderDispatched(carrier=carrier, tracking_number=tracking_number, dispatched_at=at))

    def delivered(self, at: datetime) -> None:
        """Completes the order: the customer has the goods."""
        if self.status is Status.DISPATCHED and self.totals is not None:
            pieces = sum(line.quantity for line in self.lines)
            refunded = refunded_before(self.refunds)
            self.record(OrderCompleted(completed_at=at, total=self.totals.total, pieces=pieces, refunded=refunded))

    def not_delivered(self, why: str) -> None:
        """Cancels the order: it can never be delivered. The goods go back, and the money is refunded."""
        if self.status in (Status.CONFIRMED, Status.CANCELLING, Status.DISPATCHED):
            self.record(OrderCancelled(reason=f"it could not be delivered: {why}"))

    def request_return(self, return_id: str, wanted: Mapping[str, int], reason: str, now: datetime) -> None:
        """Opens a return of delivered goods, within the time for returns."""
        if self.status is not Status.COMPLETED or self.completed_at is None or self.totals is None:
            raise self._is_not_possible()
        if now > self.completed_at + RETURN_WITHIN:
            raise Rejected(f"goods can only be returned within {RETURN_WITHIN.days} days", reason="RETURN_TOO_LATE")
        lines = lines_to_return(self.lines, self.returns, self.refunds, wanted)
        self.record(requested(return_id, lines, self.totals, self.refunds, reason, now))

    def receive_return(self, return_id: str) -> None:
        """Records that the goods are at the warehouse. Does nothing if that is recorded already."""
        one = self.return_of(return_id)
        if one.status is ReturnStatus.CLOSED:
            raise Rejected(f"return {return_id} is closed: {one.reason}", reason="RETURN_CLOSED")
        if one.status is ReturnStatus.OPEN:
            self.record(ReturnReceived(return_id=return_id))

    def complete_return(self, return_id: str, now: datetime) -> None:
        """Completes the return: its money is refunded, its goods are in stock. Of a closed one, notes the refund."""
        one = self.return_of(return_id)
        if one.status is ReturnStatus.CLOSED:
            self.refunded(return_id, one.refund, now)
        elif one.status is not ReturnStatus.COMPLETED:
            self.record(ReturnCompleted(return_id=return_id, refund=one.refund, completed_at=now))

    def close_return(self, return_id: str, reason: str) -> None:
        """Closes a return that will not be completed."""
        if self.return_of(return_id).status in (ReturnStatus.OPEN, ReturnStatus.RECEIVED):
            self.record(ReturnClosed(return_id=return_id, reason=reason))

    def refunded(self, refund_id: str, amount: Money, now: datetime) -> None:
        """Records a refund that Payments made, once. That of an open return is recorded when this is completed."""
        if self.placed_at is not None and not is_noted(refund_id, amount, self.returns, self.refunds):
            delivered = self.completed_at is not None
            self.record(OrderRefunded(refund_id=refund_id, amount=amount, refunded_at=now, delivered=delivered))

    def return_of(self, return_id: str) -> Return:
        for one in self.returns:
            if one.return_id == return_id:
                return one
        raise NotFound(f"order {self.id} has no return {return_id}")

    def _must_be(self, status: Status) -> None:
        if self.status is not status:
            raise self._is_not_possible()

    def _is_not_possible(self) -> Rejected:
        return Rejected(
            f"this is not possible: order {self.id} is {self.status}", reason=f"ORDER_{self.status.upper()}"
        )

    def evolve(self, event: OrderEvent) -> None:
        match event:
            case DraftStarted():
                self.status, self.customer_id, self.lines = Status.DRAFT, event.customer_id, event.lines
            case DraftChanged():
                self.lines, self.delivery = event.lines, event.delivery
            case OrderPlaced():
                self.status = Status.PENDING
                self.customer_id, self.lines, self.tier = event.customer_id, event.lines, event.tier
                self.totals, self.delivery = event.totals, event.delivery
                self.placed_at, self.answer_by = event.placed_at, event.answer_by
            case AddressChanged():
                self.delivery = event.delivery
            case OrderConfirmed():
                self.status = Status.CONFIRMED
            case CancellationRequested():
                self.status, self.reason = Status.CANCELLING, event.reason
            case CancellationRefused():
                self.status, self.reason = Status.CONFIRMED, event.reason
            case OrderCancelled():
                self.status, self.reason = Status.CANCELLED, event.reason
            case OrderDispatched():
                self.status = Status.DISPATCHED
                self.carrier, self.tracking_number = event.carrier, event.tracking_number
            case OrderCompleted():
                self.status, self.completed_at = Status.COMPLETED, event.completed_at
            case ShipmentPrepared():
                pass
            case OrderRefunded():
                self.refunds = refunds_after(self.refunds, event)
            case ReturnRequested() | ReturnReceived() | ReturnCompleted() | ReturnClosed():
                self.returns = returns_after(self.returns, event)
