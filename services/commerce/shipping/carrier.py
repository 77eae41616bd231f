"""The carrier's own format, JSON over HTTP, and its translation: the anti-corruption layer to the carrier.

We ask: `POST /consignments` with {reference, service, to: {name, line1, line2, city, region, postal_code, country},
parcels: [{from, pieces}]} is answered with {tracking_number}; `DELETE /consignments/<tracking number>` takes it back.
It tells, by signed webhooks: {tracking_number, reference, status, at, place}; times are ISO 8601.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from treaty.domain import Invalid

from services.commerce.shipping.application import Delivery, Method, TrackParcel
from services.commerce.shipping.domain.events import Parcel
from services.commerce.shipping.domain.tracking import Report, TrackingEvent

NAME = "parcelnet"
"""What the carrier is called."""

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
    """Translates a booking of ours."""
    address = ("name", "line1", "line2", "city", "region", "postal_code", "country")
    return {
        "reference": reference,
        "service": _SERVICES[delivery.method],
        "to": {part: getattr(delivery, part) for part in address},
        "parcels": [{"from": parcel.warehouse, "pieces": parcel.pieces} for parcel in parcels],
    }


def report_from(body: bytes) -> TrackParcel:
    """Translates what the carrier tells. A status that we do not know is a note: it never moves a parcel.

    Raises:
        Invalid: if it is not of the carrier's format.
    """
    told = _object(body)
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
    """Returns a report as the carrier writes it."""
    told = {"tracking_number": tracking_number, "reference": reference, "status": status, "at": at.isoformat()}
    return json.dumps({**told, "place": place}).encode()


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        raise Invalid("a report is JSON") from None
    if not isinstance(told, dict):
        raise Invalid("a report is a JSON object")
    return told


def _text(told: Mapping[str, Any], name: str, *, required: bool = True) -> str:
    value = told.get(name, "")
    if not isinstance(value, str) or len(value) > _LONGEST[name] or (required and not value):
        raise Invalid(f"{name} is a text of up to {_LONGEST[name]} characters", field=name)
    return value


def _time(value: Any) -> datetime:
    """Returns a time to the millisecond, which is what is kept."""
    try:
        time = datetime.fromisoformat(value)
        if time.tzinfo is None:
            raise ValueError("no time zone")
        return time.astimezone(UTC).replace(microsecond=time.microsecond // 1000 * 1000)
    except (TypeError, ValueError, OverflowError):
        raise Invalid("at is a time with a zone, as ISO 8601 writes it", field="at") from None
