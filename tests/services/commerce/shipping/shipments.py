"""Shipments and their past, for the tests of Shipping."""

from datetime import UTC, datetime

from services.commerce.shipping.domain.events import (
    BookingStarted,
    MoneyReceived,
    OrderConfirmed,
    ShipmentBooked,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDispatched,
    ShipmentEvent,
    ShippedLine,
    StockAllocated,
)

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
LINES = (ShippedLine(sku="tea", warehouse="main", quantity=2),)
CONFIRMED, PAID, ALLOCATED = OrderConfirmed(customer_id="ann"), MoneyReceived(), StockAllocated(lines=LINES)
CREATED = ShipmentCreated(customer_id="ann", created_at=NOW)
STARTED, BOOKED = BookingStarted(), ShipmentBooked(carrier="parcelnet", tracking_number="PN1")
DISPATCHED = ShipmentDispatched(at=NOW)
CANCELLED = ShipmentCancelled(reason="changed my mind")

NEW: list[ShipmentEvent] = [CONFIRMED, PAID, ALLOCATED, CREATED]
BOOKING = [*NEW, STARTED]
WAITING = [*BOOKING, BOOKED]
LEFT = [*WAITING, DISPATCHED]
