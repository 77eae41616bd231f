"""The read models of Compliance: permissions by work, and the alerts."""

from dataclasses import dataclass, replace
from datetime import datetime

from treaty.projections import parts_of

from services.media.compliance.domain.case import Case, Status
from services.media.compliance.domain.events import (
    CaseAssigned,
    CaseClosed,
    CaseEscalated,
    CaseEvent,
    CaseReopened,
    FindingCorrected,
    InfringementDetected,
    NoteAdded,
    Outcome,
    PermissionEnded,
    PermissionEvent,
    PermissionGranted,
    PermissionProlonged,
    ReviewerReminded,
    ReviewOpened,
    WorkRegistered,
)
from services.media.compliance.domain.findings import Kind, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionRow:
    """A permission in a list."""

    permission_id: str
    work_id: str
    holder_id: str
    places: tuple[str, ...]
    media: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime | None
    exclusive: bool


def permission(permission_id: str, row: PermissionRow | None, event: PermissionEvent) -> PermissionRow | None:
    """Projects an event of a permission onto its row. A permission that has ended covers the time before its end."""
    match event:
        case PermissionGranted():
            return PermissionRow(
                permission_id=permission_id,
                work_id=event.work_id,
                holder_id=event.holder_id,
                places=event.places,
                media=event.media,
                starts_at=event.starts_at,
                ends_at=event.ends_at,
                exclusive=event.exclusive,
            )
        case PermissionProlonged():
            return row and replace(row, ends_at=event.ends_at)
        case PermissionEnded():
            return row


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRow:
    """A work with its hashes; `parts` are those of its perceptual hash, which an index can search."""

    work_id: str
    sha256: str
    parts: tuple[int, ...]


def work(work_id: str, row: WorkRow | None, event: WorkRegistered) -> WorkRow:
    return WorkRow(work_id=work_id, sha256=event.sha256, parts=parts_of(event.dhash) if event.dhash else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """A case in the feed. `raised_at` is the beginning of the latest round of its review."""

    case_id: str
    status: Status
    severity: Severity
    work_id: str
    holder_id: str
    kinds: tuple[Kind, ...]
    uses: int
    reviewer: str
    level: int
    outcome: Outcome | None
    raised_at: datetime


def alert_of(case: Case) -> AlertRow:
    """Returns the alert that shows a case."""
    assert case.raised_at is not None
    return AlertRow(
        case_id=case.id,
        status=case.status,
        severity=case.severity,
        work_id=case.work_id,
        holder_id=case.holder_id,
        kinds=case.kinds,
        uses=case.uses,
        reviewer=case.reviewer,
        level=case.level,
        outcome=case.outcome,
        raised_at=case.raised_at,
    )


def alert(case_id: str, row: AlertRow | None, event: CaseEvent) -> AlertRow | None:
    """Projects an event of a case onto its alert."""
    if isinstance(event, InfringementDetected):
        return _found(row or _first(case_id, event), event)
    return row and _changed(row, event)


def _first(case_id: str, event: InfringementDetected) -> AlertRow:
    return AlertRow(
        case_id=case_id,
        status=Status.OPEN,
        severity=event.severity,
        work_id=event.finding.use.work_id,
        holder_id=event.finding.holder_id,
        kinds=(),
        uses=0,
        reviewer="",
        level=0,
        outcome=None,
        raised_at=event.detected_at,
    )


def _found(row: AlertRow, event: InfringementDetected) -> AlertRow:
    return replace(
        row,
        severity=max(row.severity, event.severity),
        kinds=tuple(dict.fromkeys((*row.kinds, *event.finding.kinds))),
        uses=row.uses + event.finding.uses,
    )


def _changed(row: AlertRow, event: CaseEvent) -> AlertRow:
    match event:
        case FindingCorrected():
            return replace(row, uses=row.uses - event.uses)
        case ReviewOpened():
            return replace(row, raised_at=event.opened_at, level=0)
        case CaseAssigned():
            return replace(row, reviewer=event.reviewer)
        case CaseEscalated():
            return replace(row, level=event.level)
        case CaseClosed():
            return replace(row, status=Status.CLOSED, outcome=event.outcome)
        case CaseReopened():
            return replace(row, status=Status.OPEN, outcome=None)
        case InfringementDetected() | NoteAdded() | ReviewerReminded():
            return row
