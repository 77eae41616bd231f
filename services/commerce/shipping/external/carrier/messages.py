"""The anti-corruption layer to the carrier: the carrier's format, JSON over HTTP, and its translation.

We send these requests:

- `POST /consignments` with {reference, service, to: {name, line1, line2, city, region, postal_code, country}, parcels:
  [{from, pieces}]} books a shipment. The answer is {tracking_number}.
- `DELETE /consignments/<tracking number>` cancels the booking.

The carrier sends reports by signed webhooks: {tracking_number, reference, status, at, place}. Times are ISO 8601.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from treaty.domain import Invalid
from treaty.web import json_object

from services.commerce.shipping.application import Delivery, Method, TrackParcel
from services.commerce.shipping.domain.events import Parcel
from services.commerce.shipping.domain.tracking import Report, TrackingEvent

NAME = "parcelnet"
"""The name of the carrier."""

CONSIGNMENTS = "/consignments"

COLLECTED, IN_TRANSIT, OUT_FOR_DELIVERY = "COLLECTED", "IN_TRANSIT", "OUT_FOR_DELIVERY"
EXCEPTION, DELIVERED, RETURNED_TO_SENDER, CANCELLED = "EXCEPTION", "DELIVERED", "RETURNED_TO_SENDER", "CANCELLED"

_REPORTS = {
    COLLECTED: Report.COLLECTED,
    IN_TRANSIT: Report.IN_TRANSIT,
    OUT_FOR_DELIVERY: Report.OUT_FOR_DELIVERY,
    EXCEPTION: Report.EXCEPTION,
    DELIVERED: Report.DELIVERED,
    RETURNED_TO_SENDER: Report.RETURNED,
    CANCELLED: Report.CANCELLED,
}
_SERVICES = {Method.STANDARD: "STD", Method.EXPRESS: "EXP", Method.OVERNIGHT: "ONX"}
_LONGEST = {"tracking_number": 64, "reference": 64, "status": 64, "place": 100}


def consignment(reference: str, delivery: Delivery, parcels: Sequence[Parcel]) -> dict[str, Any]:
    """Returns one of our bookings in the carrier's format."""
    address = ("name", "line1", "line2", "city", "region", "postal_code", "country")
    return {
        "reference": reference,
        "service": _SERVICES[delivery.method],
        "to": {part: getattr(delivery, part) for part in address},
        "parcels": [{"from": parcel.warehouse, "pieces": parcel.pieces} for parcel in parcels],
    }


def report_from(body: bytes) -> TrackParcel:
    """Returns the command for a report of the carrier.

    A report with an unknown status is a note: it never changes the status of the shipment.

    Raises:
        Invalid: if the report is not in the carrier's format.
    """
    told = json_object(body)
    status = _text(told, "status")
    return TrackParcel(
        order_id=_text(told, "reference").lower(),
        tracking_number=_text(told, "tracking_number"),
        report=TrackingEvent(
            status=_REPORTS.get(status, Report.NOTE),
            word=status,
            at=_time(told.get("at")),
            place=_text(told, "place", required=False),
        ),
    )


def report_of(tracking_number: str, reference: str, status: str, at: datetime, place: str) -> bytes:
    """Returns a report in the carrier's format."""
    told = {"tracking_number": tracking_number, "reference": reference, "status": status, "at": at.isoformat()}
    return json.dumps({**told, "place": place}).encode()


def _text(told: Mapping[str, Any], name: str, *, required: bool = True) -> str:
    value = told.get(name, "")
    if not isinstance(value, str) or len(value) > _LONGEST[name] or (required and not value):
        raise Invalid(f"{name} must be a text of up to {_LONGEST[name]} characters", field=name)
    return value


def _time(value: Any) -> datetime:
    """Returns a time, cut to milliseconds, the precision that is stored."""
    try:
        time = datetime.fromisoformat(value)
        if time.tzinfo is None:
            raise ValueError("no time zone")
        return time.astimezone(UTC).replace(microsecond=time.microsecond // 1000 * 1000)
    except (TypeError, ValueError, OverflowError):
        raise Invalid("at must be an ISO 8601 time with a time zone", field="at") from None
