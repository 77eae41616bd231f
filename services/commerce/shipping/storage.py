"""The stored names of Shipping's aggregates, events, calls and read models.

A name here never changes. If the fields of an event or call change, its shape gets an upcast.
"""

from treaty.commits import Names, Shape, Stored
from treaty.projections import Projection

from services.commerce.shipping import application
from services.commerce.shipping.domain import events, shipments
from services.commerce.shipping.projections import ShipmentRow, shipment_summary

SHIPMENTS = Stored(
    "shipment",
    shipments.Shipment,
    events=[
        Shape("order-confirmed", events.OrderConfirmed),
        Shape("money-received", events.MoneyReceived),
        Shape("stock-allocated", events.StockAllocated),
        Shape("shipment-created", events.ShipmentCreated),
        Shape("booking-started", events.BookingStarted),
        Shape("shipment-booked", events.ShipmentBooked),
        Shape("booked-too-late", events.BookedTooLate),
        Shape("shipment-dispatched", events.ShipmentDispatched),
        Shape("parcel-tracked", events.ParcelTracked),
        Shape("shipment-delivered", events.ShipmentDelivered),
        Shape("shipment-failed", events.ShipmentFailed),
        Shape("shipment-cancelled", events.ShipmentCancelled),
        Shape("booking-cancelled", events.BookingCancelled),
        Shape("recall-refused", events.RecallRefused),
    ],
)

COMMANDS = Names(
    [
        Shape("book-carrier", application.BookCarrier),
        Shape("cancel-booking", application.CancelBooking),
    ]
)

SHIPMENT_SUMMARY = Projection(
    name="shipment_summary",
    source=SHIPMENTS,
    row=ShipmentRow,
    project=shipment_summary,
    order_by="created_at",
    filters=("status",),
)
