"""Translates the states and rows of Compliance to protobuf messages for clients."""

from collections.abc import Iterable, Mapping

from media.compliance.v1 import compliance_events_pb2 as events
from media.compliance.v1 import compliance_service_pb2 as pb
from treaty.rpc import EnumTable

from services.media.compliance.application.cases import Change
from services.media.compliance.domain.case import Case, Note, Status
from services.media.compliance.domain.events import Outcome
from services.media.compliance.domain.findings import Finding, Kind
from services.media.compliance.domain.sightings import Sighting
from services.media.compliance.projections import AlertRow
from services.media.compliance.publishing import KINDS, OUTCOMES, SEVERITIES
from services.media.wire import end_to_wire, time_to_wire

STATUS = EnumTable({Status.OPEN: pb.CASE_STATUS_OPEN, Status.CLOSED: pb.CASE_STATUS_CLOSED})


def case_of(case: Case, texts: Mapping[str, str] | None = None) -> pb.Case:
    """Returns a case; with the texts of its notes, also the notes."""
    return pb.Case(
        case_id=case.id,
        status=STATUS.to_wire(case.status),
        severity=SEVERITIES.to_wire(case.severity),
        work_id=case.work_id,
        holder_id=case.holder_id,
        license_id=case.permission_id,
        kinds=_kinds(case.kinds),
        uses=case.uses,
        reviewer=case.reviewer,
        round=case.round,
        decide_by=end_to_wire(case.decide_by),
        level=case.level,
        reminders=case.reminders,
        outcome=_outcome(case.outcome),
        findings=[_finding(finding) for finding in case.findings],
        notes=[] if texts is None else [_note(note, texts) for note in case.notes],
    )


def _kinds(kinds: Iterable[Kind]) -> list[events.InfringementKind.ValueType]:
    return [KINDS.to_wire(kind) for kind in kinds]


def _outcome(outcome: Outcome | None) -> events.Outcome.ValueType:
    return events.OUTCOME_UNSPECIFIED if outcome is None else OUTCOMES.to_wire(outcome)


def _finding(finding: Finding) -> pb.Finding:
    return pb.Finding(
        evidence=finding.evidence,
        kinds=_kinds(finding.kinds),
        place=finding.use.place,
        medium=finding.use.medium,
        used_at=time_to_wire(finding.use.used_at),
        uses=finding.uses,
    )


def _note(note: Note, texts: Mapping[str, str]) -> pb.Note:
    return pb.Note(author=note.author, text=texts.get(note.ref, ""), added_at=time_to_wire(note.added_at))


def sighting_of(sighting: Sighting) -> pb.Sighting:
    assert sighting.sighted is not None
    finding = sighting.sighted.finding
    return pb.Sighting(
        sighting_id=sighting.id,
        covered_by=sighting.sighted.covered_by,
        case_id="" if finding is None else finding.permission_id or sighting.id,
        kinds=[] if finding is None else _kinds(finding.kinds),
        work_id=sighting.sighted.use.work_id,
    )


def alert_of(row: AlertRow) -> pb.Alert:
    return pb.Alert(
        case_id=row.case_id,
        status=STATUS.to_wire(row.status),
        severity=SEVERITIES.to_wire(row.severity),
        work_id=row.work_id,
        holder_id=row.holder_id,
        kinds=_kinds(row.kinds),
        uses=row.uses,
        reviewer=row.reviewer,
        level=row.level,
        raised_at=time_to_wire(row.raised_at),
        outcome=_outcome(row.outcome),
    )


def change_of(change: Change) -> pb.WatchAlertsResponse:
    alert = None if change.alert is None else alert_of(change.alert)
    return pb.WatchAlertsResponse(alert=alert, revision=change.revision, place=change.place)
