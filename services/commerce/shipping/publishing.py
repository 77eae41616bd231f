"""Translates the domain events of Shipping to integration events."""

from collections.abc import Iterator

from commerce.shipping.v1 import shipping_events_pb2 as events

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
from services.commerce.shipping.domain.shipments import Shipment
from services.commerce.shipping.domain.tracking import Report, Status
from services.commerce.wire import time_to_wire

Published = (
    events.ShipmentCreated
    | events.ShipmentDispatched
    | events.ShipmentCancelled
    | events.ParcelDelayed
    | events.DeliveryConfirmed
    | events.DeliveryFailed
)
"""The integration events of `publish`."""


def publish(shipment: Shipment, event: ShipmentEvent) -> Iterator[Published]:
    """Policy: announces the events that other contexts may rely on."""
    whose = {"order_id": shipment.id, "customer_id": shipment.customer_id}
    match event:
        case ShipmentCreated():
            yield events.ShipmentCreated(**whose, created_at=time_to_wire(event.created_at))
        case ShipmentDispatched():
            yield events.ShipmentDispatched(
                **whose,
                carrier=shipment.carrier,
                tracking_number=shipment.tracking_number,
                dispatched_at=time_to_wire(event.at),
            )
        case ParcelTracked() if event.report.status is Report.EXCEPTION and event.status is Status.EXCEPTION:
            yield events.ParcelDelayed(
                **whose,
                carrier=shipment.carrier,
                tracking_number=shipment.tracking_number,
                reported_at=time_to_wire(event.report.at),
            )
        case ShipmentDelivered():
            yield events.DeliveryConfirmed(**whose, delivered_at=time_to_wire(event.at))
        case ShipmentFailed():
            yield events.DeliveryFailed(**whose, reason=event.reason)
        case ShipmentCancelled():
            yield events.ShipmentCancelled(**whose, reason=event.reason)
        case OrderConfirmed() | MoneyReceived() | StockAllocated():
            return
        case BookingStarted() | ShipmentBooked() | BookedTooLate() | ParcelTracked():
            return
        case BookingCancelled() | RecallRefused():
            return
