"""Translates the domain events of Compliance to integration events."""

from collections.abc import Iterator

from media.compliance.v1 import compliance_events_pb2 as pb
from treaty.rpc import EnumTable

from services.media.compliance.domain.case import Case
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
    ReviewerReminded,
    ReviewOpened,
)
from services.media.compliance.domain.findings import Kind, Severity
from services.media.wire import time_to_wire

SEVERITIES = EnumTable(
    {
        Severity.LOW: pb.SEVERITY_LOW,
        Severity.MEDIUM: pb.SEVERITY_MEDIUM,
        Severity.HIGH: pb.SEVERITY_HIGH,
        Severity.CRITICAL: pb.SEVERITY_CRITICAL,
    }
)

KINDS = EnumTable(
    {
        Kind.EXCESS: pb.INFRINGEMENT_KIND_EXCESS,
        Kind.PERIOD: pb.INFRINGEMENT_KIND_PERIOD,
        Kind.PLACE: pb.INFRINGEMENT_KIND_PLACE,
        Kind.MEDIUM: pb.INFRINGEMENT_KIND_MEDIUM,
        Kind.UNLICENSED: pb.INFRINGEMENT_KIND_UNLICENSED,
        Kind.EXCLUSIVE: pb.INFRINGEMENT_KIND_EXCLUSIVE,
    }
)

OUTCOMES = EnumTable(
    {
        Outcome.SETTLED: pb.OUTCOME_SETTLED,
        Outcome.LICENSED: pb.OUTCOME_LICENSED,
        Outcome.DISMISSED: pb.OUTCOME_DISMISSED,
        Outcome.LAWYERS: pb.OUTCOME_LAWYERS,
    }
)

Published = pb.InfringementDetected | pb.CaseEscalated | pb.CaseClosed | pb.CaseReopened
"""The integration events of `publish`."""


def publish(case: Case, event: CaseEvent) -> Iterator[Published]:
    """Policy: announces infringements, and the escalation and the end of cases. Work inside a case is not announced."""
    match event:
        case InfringementDetected():
            yield _detected(case, event)
        case CaseEscalated():
            yield pb.CaseEscalated(
                case_id=case.id,
                reviewer=case.reviewer,
                level=event.level,
                severity=SEVERITIES.to_wire(case.severity),
            )
        case CaseClosed():
            yield pb.CaseClosed(
                case_id=case.id,
                work_id=case.work_id,
                holder_id=case.holder_id,
                outcome=OUTCOMES.to_wire(event.outcome),
                uses=case.uses,
            )
        case CaseReopened():
            yield pb.CaseReopened(case_id=case.id, reason=event.reason)
        case FindingCorrected() | ReviewOpened() | CaseAssigned() | NoteAdded() | ReviewerReminded():
            return


def _detected(case: Case, event: InfringementDetected) -> pb.InfringementDetected:
    finding = event.finding
    return pb.InfringementDetected(
        case_id=case.id,
        work_id=finding.use.work_id,
        holder_id=finding.holder_id,
        license_id=finding.permission_id,
        kinds=[KINDS.to_wire(kind) for kind in finding.kinds],
        uses=finding.uses,
        severity=SEVERITIES.to_wire(event.severity),
        detected_at=time_to_wire(event.detected_at),
    )
