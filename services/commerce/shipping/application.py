"""What Shipping can do."""

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
from treaty.projections import Key, View

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
    """How fast it is to be."""

    STANDARD = "standard"
    EXPRESS = "express"
    OVERNIGHT = "overnight"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Delivery:
    """Where an order goes. It is personal: passed on to the carrier, never kept, and not to be seen in a log."""

    method: Method
    name: str
    line1: str
    line2: str
    city: str
    region: str
    postal_code: str
    country: str


class Deliveries(Protocol):
    """Where orders are to be delivered, as Ordering knows."""

    async def find(self, order_id: str) -> Delivery | None:
        """Returns it, or None if there is no address, or no longer. Raises whatever says: try again."""
        ...


class CarrierAway(DependencyAway):
    """The carrier did not answer as it should; whether it did what it was asked is unknown. Try again."""

    dependency = "carrier"


class Undeliverable(Exception):
    """The carrier will never take this parcel; the message says why."""


class Carrier(Protocol):
    """Who brings parcels to the door. `reference` is ours: booking twice with the same one is one booking."""

    @property
    def name(self) -> str: ...

    async def book(self, reference: str, delivery: Delivery, parcels: Sequence[Parcel]) -> str:
        """Books, and returns the tracking number.

        Raises:
            CarrierAway, Undeliverable
        """
        ...

    async def cancel(self, tracking_number: str) -> bool:
        """Takes a booking back; returns whether that was still possible. Raises CarrierAway."""
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


@dataclass(frozen=True, slots=True)
class Shipping:
    """The use cases of Shipping. What is asked of the carrier is a call: it follows a commit, until it is answered."""

    shipments: Repository[Shipment]
    summaries: View[ShipmentRow]
    deliveries: Deliveries
    carrier: Carrier
    clock: Clock

    async def note_confirmation(self, command: NoteConfirmation) -> Committed[Shipment]:
        """An order is confirmed."""
        now = self.clock.now()
        return await self.shipments.add(command.order_id, lambda shipment: shipment.confirm(command.customer_id, now))

    async def note_payment(self, command: NotePayment) -> Committed[Shipment]:
        """The money of an order is there."""
        now = self.clock.now()
        return await self.shipments.add(command.order_id, lambda shipment: shipment.pay(now))

    async def note_allocation(self, command: NoteAllocation) -> Committed[Shipment]:
        """The goods of an order are set aside."""
        now = self.clock.now()
        return await self.shipments.add(command.order_id, lambda shipment: shipment.allocate(command.lines, now))

    async def note_cancellation(self, command: NoteCancellation) -> Committed[Shipment]:
        """An order was cancelled: its shipment stops, unless it has left."""
        return await self.shipments.add(command.order_id, lambda shipment: shipment.give_up(command.reason))

    async def cancel_shipment(self, command: CancelShipment) -> Committed[Shipment]:
        """Stops a shipment, or says that it has left. An order that was never heard of is never shipped."""
        return await self.shipments.add(command.order_id, lambda shipment: shipment.cancel(command.reason))

    async def track_parcel(self, command: TrackParcel) -> Committed[Shipment]:
        """Takes a report of the carrier."""
        return await self.shipments.change(
            command.order_id,
            lambda shipment: shipment.track(self.carrier.name, command.tracking_number, command.report),
        )

    async def get_shipment(self, order_id: str) -> Committed[Shipment]:
        """Returns the shipment of an order."""
        return await self.shipments.get(order_id)

    async def list_shipments(
        self, *, status: str = "", size: int = 0, after: Key | None = None, not_before: str = ""
    ) -> tuple[list[ShipmentRow], Key | None]:
        """Returns a page of shipments, the latest first, and where the next page starts."""
        where = {"status": status} if status else {}
        return await self.summaries.page(where, after=after, limit=size, not_before=not_before)

    async def book_carrier(self, command: BookCarrier) -> None:
        """Books a shipment with the carrier, and notes what it says.

        That the carrier is being asked is committed first. If the shipment is cancelled meanwhile and the answer gets
        lost, asking again with the same reference finds the booking that has to be taken back.
        """
        id = command.order_id
        await self.shipments.change(id, Shipment.start_booking, cause=step("start"))
        shipment = (await self.shipments.get(id)).state
        if not _may_be_booked(shipment):
            return
        delivery = await self.deliveries.find(id)
        if delivery is None:
            await self._fail(id, "the order has no delivery address")
            return
        try:
            tracking_number = await self.carrier.book(id, delivery, parcels_of(shipment.lines))
        except Undeliverable as refusal:
            await self._fail(id, str(refusal))
        else:
            await self.shipments.change(id, lambda shipment: shipment.booked(self.carrier.name, tracking_number))

    async def cancel_booking(self, command: CancelBooking) -> None:
        """Takes a booking back; a parcel that has left by now is a matter for people."""
        cancelled = await self.carrier.cancel(command.tracking_number)
        if not cancelled:
            logger.warning("the carrier has a parcel that was cancelled", order=command.order_id)
        await self.shipments.change(command.order_id, lambda shipment: shipment.recalled(cancelled))

    async def _fail(self, order_id: str, reason: str) -> None:
        await self.shipments.change(order_id, lambda shipment: shipment.fail(reason))


def _may_be_booked(shipment: Shipment) -> bool:
    if shipment.status is Status.CANCELLED:
        return shipment.booking and not shipment.tracking_number
    return shipment.status is Status.CREATED


def ask_carrier(shipment: Shipment, event: ShipmentEvent) -> Iterator[Call]:
    """Policy: what the carrier is to be asked after each event."""
    match event:
        case ShipmentCreated():
            yield Call(BookCarrier(order_id=shipment.id))
        case ShipmentCancelled() if shipment.tracking_number:
            yield Call(CancelBooking(order_id=shipment.id, tracking_number=shipment.tracking_number))
        case BookedTooLate():
            yield Call(CancelBooking(order_id=shipment.id, tracking_number=event.tracking_number))
        case _:
            return
