"""Uses, findings and permissions for the tests of Compliance."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.media.compliance.domain.events import PermissionGranted, ReviewOpened
from services.media.compliance.domain.findings import Deadlines, Finding, Kind, Severity, Use
from services.media.compliance.projections import PermissionRow

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MONTH = timedelta(days=30)
DEADLINES = Deadlines(
    low=timedelta(days=30), medium=timedelta(days=14), high=timedelta(days=3), critical=timedelta(days=1)
)


def use(**values: Any) -> Use:
    known: dict[str, Any] = {"work_id": "sunset", "place": "DE", "medium": "web", "used_at": NOW}
    return Use(**{**known, **values})


def finding(*kinds: Kind, **values: Any) -> Finding:
    """Returns an excess of one use over ten allowed ones; its severity is low."""
    known: dict[str, Any] = {"evidence": "u-1", "use": use(), "uses": 1, "holder_id": "ann", "permission_id": "l-1"}
    return Finding(kinds=kinds or (Kind.EXCESS,), **{**known, "allowed": 10, **values})


def permission(permission_id: str = "l-1", **values: Any) -> PermissionRow:
    known: dict[str, Any] = {
        "work_id": "sunset",
        "holder_id": "ann",
        "places": ("DE", "FR"),
        "media": ("web",),
        "starts_at": NOW - MONTH,
        "ends_at": NOW + MONTH,
        "exclusive": False,
    }
    return PermissionRow(permission_id=permission_id, **{**known, **values})


GRANTED = PermissionGranted(
    work_id="sunset",
    holder_id="ann",
    places=("DE", "FR"),
    media=("web",),
    starts_at=NOW - MONTH,
    ends_at=NOW + MONTH,
    allowed=10,
    exclusive=False,
)


def opened(round: int = 1, severity: Severity = Severity.LOW) -> ReviewOpened:
    within = DEADLINES.to_decide(severity)
    return ReviewOpened(round=round, severity=severity, opened_at=NOW, take_within=within / 4, decide_within=within)
