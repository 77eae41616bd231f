"""The read model of Shipping: shipments by status. A shipment is listed once it is created."""

from dataclasses import dataclass, replace
from datetime import datetime

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
    StockAllocated,
)
from services.commerce.shipping.domain.tracking import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentRow:
    """A shipment in a list."""

    order_id: str
    customer_id: str
    status: Status
    created_at: datetime
    carrier: str = ""
    tracking_number: str = ""
    reason: str = ""


def shipment_summary(order_id: str, row: ShipmentRow | None, event: ShipmentEvent) -> ShipmentRow | None:
    """Projects an event of a shipment onto its row."""
    match event:
        case ShipmentCreated():
            return ShipmentRow(
                order_id=order_id, customer_id=event.customer_id, status=Status.CREATED, created_at=event.created_at
            )
        case ShipmentBooked():
            return row and replace(
                row, status=Status.BOOKED, carrier=event.carrier, tracking_number=event.tracking_number
            )
        case ShipmentDispatched():
            return row and replace(row, status=Status.IN_TRANSIT)
        case ParcelTracked():
            return row and replace(row, status=event.status)
        case ShipmentDelivered():
            return row and replace(row, status=Status.DELIVERED)
        case ShipmentFailed():
            return row and replace(row, status=Status.FAILED, reason=event.reason)
        case ShipmentCancelled():
            return row and replace(row, status=Status.CANCELLED, reason=event.reason)
        case BookedTooLate():
            return row and replace(row, carrier=event.carrier, tracking_number=event.tracking_number)
        case OrderConfirmed() | MoneyReceived() | StockAllocated():
            return row
        case BookingStarted() | BookingCancelled() | RecallRefused():
            return row
