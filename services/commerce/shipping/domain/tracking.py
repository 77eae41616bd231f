"""Where a shipment stands, and what the carrier reports of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    NEW = "new"
    AWAITED = "awaited"
    CREATED = "created"
    BOOKED = "booked"
    IN_TRANSIT = "in-transit"
    OUT_FOR_DELIVERY = "out-for-delivery"
    EXCEPTION = "exception"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


AT_HOME = frozenset({Status.NEW, Status.AWAITED, Status.CREATED, Status.BOOKED})
"""The carrier does not have the parcel yet."""

ENDS = frozenset({Status.DELIVERED, Status.FAILED, Status.CANCELLED})


class Report(StrEnum):
    """What the carrier can say of a parcel; a note is anything that says nothing of where it stands."""

    COLLECTED = "collected"
    IN_TRANSIT = "in-transit"
    OUT_FOR_DELIVERY = "out-for-delivery"
    EXCEPTION = "exception"
    DELIVERED = "delivered"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingEvent:
    """One report of the carrier: what it means, the carrier's own word, when and where."""

    status: Report
    word: str
    at: datetime
    place: str = ""


def in_order(reports: Iterable[TrackingEvent]) -> list[TrackingEvent]:
    """Returns the reports by the carrier's own time, whenever they came."""
    return sorted(reports, key=lambda report: report.at)


def standing(status: Status, reports: Iterable[TrackingEvent]) -> Status:
    """Returns where a dispatched parcel stands after reports: it never goes back, but may go on after an exception."""
    for report in reports:
        match report.status:
            case Report.EXCEPTION:
                status = Status.EXCEPTION
            case Report.OUT_FOR_DELIVERY:
                status = Status.OUT_FOR_DELIVERY
            case Report.IN_TRANSIT if status is Status.EXCEPTION:
                status = Status.IN_TRANSIT
    return status
