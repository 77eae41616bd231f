"""The use cases of Shipping, with their commands, and the ports to Ordering and the carrier."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import structlog
from treaty.causes import step
from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.dependencies import DependencyAway
from treaty.domain import Call
from treaty.projections import FIRST, Key, Page, View

from services.commerce.shipping.domain.events import (
    BookedTooLate,
    Parcel,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentEvent,
    ShippedLine,
    parcels_of,
)
from services.commerce.shipping.domain.shipments import Shipment
from services.commerce.shipping.domain.tracking import Status, TrackingEvent
from services.commerce.shipping.projections import ShipmentRow

logger = structlog.get_logger()


class Method(StrEnum):
    """The method of a delivery, which determines its speed."""

    STANDARD = "standard"
    EXPRESS = "express"
    OVERNIGHT = "overnight"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Delivery:
    """The destination of an order. It is personal data: it is sent to the carrier, never stored, and never logged."""

    method: Method
    name: str
    line1: str
    line2: str
    city: str
    region: str
    postal_code: str
    country: str


class Deliveries(Protocol):
    """The port to Ordering, which has the destinations of orders."""

    async def find(self, order_id: str) -> Delivery | None:
        """Returns the destination of an order, or None if it has no address, or no longer has one.

        Any error that this raises means: try again.
        """
        ...


class CarrierAway(DependencyAway):
    """The carrier did not answer as expected. Whether it carried out the request is unknown. Try again."""

    dependency = "carrier"


class Undeliverable(Exception):
    """The carrier refused the parcel for good. The message has the reason."""


class Carrier(Protocol):
    """The port to the carrier. `reference` is our id: two bookings with the same reference are one booking."""

    @property
    def name(self) -> str: ...

    async def book(self, reference: str, delivery: Delivery, parcels: Sequence[Parcel]) -> str:
        """Books a shipment, and returns its tracking number.

        Raises:
            CarrierAway, Undeliverable
        """
        ...

    async def cancel(self, tracking_number: str) -> bool:
        """Cancels a booking. Returns whether that was still possible. Raises CarrierAway."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteConfirmation:
    order_id: str
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotePayment:
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAllocation:
    order_id: str
    lines: Sequence[ShippedLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteCancellation:
    order_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelShipment:
    order_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackParcel:
    order_id: str
    tracking_number: str
    report: TrackingEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class BookCarrier:
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelBooking:
    order_id: str
    tracking_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListShipments:
    """Shipments of one status, or of all."""

    status: Status | None = None
    page: Page = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipping:
    """The use cases of Shipping.

    Every request to the carrier is a call: it runs after a commit and is repeated until it is answered.
    """

    shipments: Repository[Shipment]
    shipment_rows: View[ShipmentRow]
    deliveries: Deliveries
    carrier: Carrier
    clock: Clock

    async def note_confirmation(self, command: NoteConfirmation) -> Committed[Shipment]:
        """Records that an order is confirmed."""
        now = self.clock.now()
        return await self.shipments.add(command.order_id, lambda shipment: shipment.confirm(command.customer_id, now))

    async def note_payment(self, command: NotePayment) -> Committed[Shipment]:
        """Records that the money of an order is received."""
        now = self.clock.now()
        return await self.shipments.add(command.order_id, lambda shipment: shipment.pay(now))

    async def note_allocation(self, command: NoteAllocation) -> Committed[Shipment]:
        """Records that the goods of an order are reserved."""
        now = self.clock.now()
        return await self.shipments.add(command.order_id, lambda shipment: shipment.allocate(command.lines, now))

    async def note_cancellation(self, command: NoteCancellation) -> Committed[Shipment]:
        """Stops the shipment of a cancelled order, unless it has left."""
        return await self.shipments.add(command.order_id, lambda shipment: shipment.give_up(command.reason))

    async def cancel_shipment(self, command: CancelShipment) -> Committed[Shipment]:
        """Stops a shipment. Raises Rejected if it has left.

        If Shipping has no event of the order yet, the order will never be shipped.
        """
        return await self.shipments.add(command.order_id, lambda shipment: shipment.cancel(command.reason))

    async def track_parcel(self, command: TrackParcel) -> Committed[Shipment]:
        """Records a report of the carrier."""
        return await self.shipments.change(
            command.order_id,
            lambda shipment: shipment.track(self.carrier.name, command.tracking_number, command.report),
        )

    async def get_shipment(self, order_id: str) -> Committed[Shipment]:
        return await self.shipments.get(order_id)

    async def list_shipments(self, query: ListShipments) -> tuple[list[ShipmentRow], Key | None]:
        """Returns a page of shipments, the latest first, and the key of the next page, or None at the end."""
        where = {"status": query.status.value} if query.status else {}
        return await self.shipment_rows.page(where, query.page)

    async def book_carrier(self, command: BookCarrier) -> None:
        """Books a shipment with the carrier, and records the answer.

        The start of the booking is committed before the request. If the shipment is cancelled meanwhile and the answer
        is lost, a repeated request with the same reference returns the same booking, which is then cancelled.
        """
        id = command.order_id
        shipment = (await self.shipments.get(id)).state
        tried = shipment.booking
        if not tried:
            shipment = (await self.shipments.change(id, Shipment.start_booking, cause=step("start"))).state
        if not _may_be_booked(shipment):
            return
        delivery = await self.deliveries.find(id)
        if delivery is None:
            if tried:
                logger.warning("the carrier may have a booking whose address was erased: stop it by hand", order=id)
            await self._fail(id, "the order has no delivery address")
            return
        try:
            tracking_number = await self.carrier.book(id, delivery, parcels_of(shipment.lines))
        except Undeliverable as refusal:
            await self._fail(id, str(refusal))
        else:
            await self.shipments.change(id, lambda shipment: shipment.booked(self.carrier.name, tracking_number))

    async def cancel_booking(self, command: CancelBooking) -> None:
        """Cancels a booking. If the parcel has left already, logs a warning, so that a person can stop it."""
        cancelled = await self.carrier.cancel(command.tracking_number)
        if not cancelled:
            logger.warning(
                "the carrier has the parcel of a cancelled shipment: stop it by hand", order=command.order_id
            )
        await self.shipments.change(command.order_id, lambda shipment: shipment.recalled(cancelled))

    async def _fail(self, order_id: str, reason: str) -> None:
        await self.shipments.change(order_id, lambda shipment: shipment.fail(reason))


def _may_be_booked(shipment: Shipment) -> bool:
    if shipment.status is Status.CANCELLED:
        return shipment.booking and not shipment.tracking_number
    return shipment.status is Status.CREATED


def ask_carrier(shipment: Shipment, event: ShipmentEvent) -> Iterator[Call]:
    """Policy: sends the request to the carrier that follows from an event."""
    match event:
        case ShipmentCreated():
            yield Call(BookCarrier(order_id=shipment.id))
        case ShipmentCancelled() if shipment.tracking_number:
            yield Call(CancelBooking(order_id=shipment.id, tracking_number=shipment.tracking_number))
        case BookedTooLate():
            yield Call(CancelBooking(order_id=shipment.id, tracking_number=event.tracking_number))
        case _:
            return
