"""The status of a shipment, and the carrier's reports."""

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
"""The statuses in which the carrier does not have the parcel yet."""

ENDS = frozenset({Status.DELIVERED, Status.FAILED, Status.CANCELLED})


class Report(StrEnum):
    """The kinds of reports of the carrier. A `NOTE` is any report that does not change the status of the shipment."""

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
    """One report of the carrier: its meaning, the carrier's own word for it, the time and the place."""

    status: Report
    word: str
    at: datetime
    place: str = ""


def in_order(reports: Iterable[TrackingEvent]) -> list[TrackingEvent]:
    """Returns the reports, sorted by the carrier's time, not by their arrival."""
    return sorted(reports, key=lambda report: report.at)


def standing(status: Status, reports: Iterable[TrackingEvent]) -> Status:
    """Returns the status of a dispatched parcel after reports.

    The status never goes back to an earlier one, except that a parcel may go on after an exception.
    """
    for report in reports:
        match report.status:
            case Report.EXCEPTION:
                status = Status.EXCEPTION
            case Report.OUT_FOR_DELIVERY:
                status = Status.OUT_FOR_DELIVERY
            case Report.IN_TRANSIT if status is Status.EXCEPTION:
                status = Status.IN_TRANSIT
    return status
