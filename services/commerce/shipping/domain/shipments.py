"""The shipment aggregate: created, booked with a carrier, and tracked until it is delivered or has failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from treaty.domain import Aggregate, Rejected

from services.commerce.shipping.domain.events import (
    BookedTooLate,
    BookingCancelled,
    BookingStarted,
    MoneyReceived,
    OrderConfirmed,
    ParcelTracked,
    RecallRefused,
    ShipmentBooked,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentDispatched,
    ShipmentEvent,
    ShipmentFailed,
    ShippedLine,
    StockAllocated,
)
from services.commerce.shipping.domain.tracking import (
    AT_HOME,
    ENDS,
    Report,
    Status,
    TrackingEvent,
    in_order,
    standing,
)

KEPT = 50
"""The number of reports of the carrier that are kept. The latest are kept."""


@dataclass(slots=True, kw_only=True)
class Shipment(Aggregate[ShipmentEvent]):
    """The shipment of one order. Its id is the order's.

    It is created when the confirmation, the money and the stock of the order are recorded, in any sequence. `before` is
    the status before the first report that is kept. If `recall_refused` is true, a person must stop the parcel on its
    way.
    """

    status: Status = Status.NEW
    confirmed: bool = False
    paid: bool = False
    allocated: bool = False
    customer_id: str = ""
    lines: tuple[ShippedLine, ...] = ()
    created_at: datetime | None = None
    booking: bool = False
    carrier: str = ""
    tracking_number: str = ""
    dispatched_at: datetime | None = None
    delivered_at: datetime | None = None
    reason: str = ""
    tracking: tuple[TrackingEvent, ...] = ()
    before: Status = Status.IN_TRANSIT
    recall_refused: bool = False

    def confirm(self, customer_id: str, now: datetime) -> None:
        """Records that the order is confirmed.

        If its shipment was stopped before, that is recorded once more, because the order may have been unknown then.
        """
        if self._waits and not self.confirmed:
            self.record(OrderConfirmed(customer_id=customer_id))
            self._create_if_ready(now)
        elif self.status is Status.CANCELLED and not self.confirmed:
            self.record(ShipmentCancelled(reason=self.reason))

    def pay(self, now: datetime) -> None:
        """Records that the money of the order is received."""
        if self._waits and not self.paid:
            self.record(MoneyReceived())
            self._create_if_ready(now)

    def allocate(self, lines: Sequence[ShippedLine], now: datetime) -> None:
        """Records that the goods of the order are reserved."""
        if self._waits and not self.allocated:
            self.record(StockAllocated(lines=tuple(lines)))
            self._create_if_ready(now)

    def start_booking(self) -> None:
        """Records that the booking is about to be requested.

        From now on the carrier may have booked the shipment, even if we receive no answer.
        """
        if self.status is Status.CREATED and not self.booking:
            self.record(BookingStarted())

    def booked(self, carrier: str, tracking_number: str) -> None:
        """Records that the carrier has booked the shipment. If it is no longer wanted, it must be cancelled."""
        if self.status is Status.CREATED:
            self.record(ShipmentBooked(carrier=carrier, tracking_number=tracking_number))
        elif self.status in (Status.CANCELLED, Status.FAILED) and not self.tracking_number:
            self.record(BookedTooLate(carrier=carrier, tracking_number=tracking_number))

    def fail(self, reason: str) -> None:
        """Records that the shipment can never be booked."""
        if self.status is Status.CREATED:
            self.record(ShipmentFailed(reason=reason))

    def cancel(self, reason: str) -> None:
        """Stops the shipment, which can then never start again. Does nothing if it is stopped or failed already.

        Raises:
            Rejected: if the carrier has the parcel already.
        """
        if self.status in (Status.CANCELLED, Status.FAILED):
            return
        if self.status not in AT_HOME:
            raise Rejected(
                f"the shipment of order {self.id} has left: it is {self.status}", reason="SHIPMENT_DISPATCHED"
            )
        self.record(ShipmentCancelled(reason=reason or "cancelled"))

    def give_up(self, reason: str) -> None:
        """Stops the shipment if that is still possible. The order is cancelled already, so this cannot be refused."""
        if self.status in AT_HOME:
            self.cancel(reason)

    def recalled(self, cancelled: bool) -> None:
        """Records whether the carrier has cancelled the booking."""
        if self.status in (Status.CANCELLED, Status.FAILED):
            self.record(BookingCancelled() if cancelled else RecallRefused())

    def track(self, carrier: str, tracking_number: str, report: TrackingEvent) -> None:
        """Records a report of the carrier. Reports may arrive late, twice or out of sequence.

        A report may arrive before the answer to its booking. Then the booking is recorded too. If only a dispatched
        parcel can have such a report, the dispatch is recorded too.
        """
        if not self._expects(tracking_number) or report in self.tracking:
            return
        self.booked(carrier, tracking_number)
        if self.status is Status.BOOKED and report.status not in (Report.NOTE, Report.CANCELLED):
            self.record(ShipmentDispatched(at=report.at))
        self.record(ParcelTracked(report=report, status=self._standing_with(report)))
        match report.status:
            case Report.DELIVERED:
                self.record(ShipmentDelivered(at=report.at))
            case Report.RETURNED:
                self.record(ShipmentFailed(reason="returned to the sender"))
            case Report.CANCELLED:
                self.record(ShipmentFailed(reason="cancelled by the carrier"))

    @property
    def _waits(self) -> bool:
        return self.status in (Status.NEW, Status.AWAITED)

    def _create_if_ready(self, now: datetime) -> None:
        if self.confirmed and self.paid and self.allocated:
            self.record(ShipmentCreated(customer_id=self.customer_id, created_at=now))

    def _expects(self, tracking_number: str) -> bool:
        if self.status is Status.CREATED:
            return self.booking
        return self.status not in ENDS and not self._waits and tracking_number == self.tracking_number

    def _standing_with(self, report: TrackingEvent) -> Status:
        if self.status is Status.BOOKED:
            return Status.BOOKED
        return standing(self.before, in_order((*self.tracking, report)))

    def evolve(self, event: ShipmentEvent) -> None:
        match event:
            case OrderConfirmed():
                self.status, self.confirmed, self.customer_id = Status.AWAITED, True, event.customer_id
            case MoneyReceived():
                self.status, self.paid = Status.AWAITED, True
            case StockAllocated():
                self.status, self.allocated, self.lines = Status.AWAITED, True, event.lines
            case ShipmentCreated():
                self.status, self.created_at = Status.CREATED, event.created_at
            case BookingStarted():
                self.booking = True
            case ShipmentBooked():
                self.status, self.carrier, self.tracking_number = Status.BOOKED, event.carrier, event.tracking_number
            case BookedTooLate():
                self.carrier, self.tracking_number = event.carrier, event.tracking_number
            case ShipmentDispatched():
                self.status, self.dispatched_at = Status.IN_TRANSIT, event.at
            case ParcelTracked():
                self._keep(event.report)
                self.status = event.status
            case ShipmentDelivered():
                self.status, self.delivered_at = Status.DELIVERED, event.at
            case ShipmentFailed():
                self.status, self.reason = Status.FAILED, event.reason
            case ShipmentCancelled():
                self.status, self.reason = Status.CANCELLED, event.reason
            case BookingCancelled() | RecallRefused():
                self.recall_refused = isinstance(event, RecallRefused)

    def _keep(self, report: TrackingEvent) -> None:
        reports = in_order((*self.tracking, report))
        self.before = standing(self.before, reports[:-KEPT])
        self.tracking = tuple(reports[-KEPT:])
