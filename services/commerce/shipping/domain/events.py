"""The events of a shipment, and its lines and parcels."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.commerce.shipping.domain.tracking import Status, TrackingEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedLine:
    """Pieces of one SKU, and the warehouse they leave from."""

    sku: str
    warehouse: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """The pieces of a shipment that leave from one warehouse."""

    warehouse: str
    pieces: int


def parcels_of(lines: Sequence[ShippedLine]) -> list[Parcel]:
    """Returns one parcel for each warehouse."""
    warehouses = sorted({line.warehouse for line in lines})
    return [
        Parcel(warehouse=warehouse, pieces=sum(line.quantity for line in lines if line.warehouse == warehouse))
        for warehouse in warehouses
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfirmed:
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyReceived:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class StockAllocated:
    lines: tuple[ShippedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentCreated:
    customer_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingStarted:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentBooked:
    carrier: str
    tracking_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedTooLate:
    """The carrier booked a shipment that was no longer wanted."""

    carrier: str
    tracking_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentDispatched:
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelTracked:
    """A report of the carrier, and the status of the shipment after it."""

    report: TrackingEvent
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentDelivered:
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentFailed:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentCancelled:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingCancelled:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallRefused:
    """The carrier had collected the parcel before it received the cancellation."""


ShipmentEvent = (
    OrderConfirmed
    | MoneyReceived
    | StockAllocated
    | ShipmentCreated
    | BookingStarted
    | ShipmentBooked
    | BookedTooLate
    | ShipmentDispatched
    | ParcelTracked
    | ShipmentDelivered
    | ShipmentFailed
    | ShipmentCancelled
    | BookingCancelled
    | RecallRefused
)
