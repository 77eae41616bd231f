"""The gRPC servicer of Compliance. The id of a sighting is its request_id, so a repeat finds the same sighting."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from media.compliance.v1 import compliance_service_pb2 as pb
from media.compliance.v1 import compliance_service_pb2_grpc as pb_grpc
from treaty.domain import Invalid
from treaty.rpc import page_of, to_token

from services.media.compliance.api.replies import STATUS, alert_of, case_of, change_of, sighting_of
from services.media.compliance.application.cases import Cases
from services.media.compliance.application.commands import (
    AddNote,
    AssignCase,
    CloseCase,
    EraseNotes,
    Filter,
    GetCase,
    ListAlerts,
    RecogniseWork,
    ReopenCase,
    ReportSighting,
    WatchAlerts,
)
from services.media.compliance.domain.findings import Use
from services.media.compliance.publishing import OUTCOMES, SEVERITIES
from services.media.wire import time_from_wire


class ComplianceApi(pb_grpc.ComplianceServiceServicer):
    def __init__(self, cases: Cases) -> None:
        self._cases = cases

    async def ReportSighting(self, request: pb.ReportSightingRequest, context: Any) -> pb.ReportSightingResponse:
        use = Use(
            work_id=request.work_id,
            place=request.place,
            medium=request.medium,
            used_at=time_from_wire(request.used_at),
        )
        command = ReportSighting(
            sighting_id=request.request_id.lower(),
            use=use,
            holder_id=request.holder_id,
            reporter=request.reporter,
            source=request.source,
            picture=RecogniseWork(sha256=request.sha256, dhashes=tuple(request.dhashes)),
        )
        if not (request.work_id or request.sha256 or request.dhashes):
            raise Invalid("name the work, or send a hash of the picture", field="work_id")
        reported = await self._cases.report_sighting(command)
        return pb.ReportSightingResponse(sighting=sighting_of(reported.state), revision=reported.revision)

    async def AssignCase(self, request: pb.AssignCaseRequest, context: Any) -> pb.AssignCaseResponse:
        command = AssignCase(case_id=request.case_id, reviewer=request.reviewer, by=request.by)
        assigned = await self._cases.assign_case(command)
        return pb.AssignCaseResponse(case=case_of(assigned.state), revision=assigned.revision)

    async def AddNote(self, request: pb.AddNoteRequest, context: Any) -> pb.AddNoteResponse:
        command = AddNote(case_id=request.case_id, author=request.author, text=request.text)
        added = await self._cases.add_note(command)
        return pb.AddNoteResponse(case=case_of(added.state), revision=added.revision)

    async def EraseNotes(self, request: pb.EraseNotesRequest, context: Any) -> pb.EraseNotesResponse:
        return pb.EraseNotesResponse(notes=await self._cases.erase_notes(EraseNotes(subject_id=request.subject_id)))

    async def CloseCase(self, request: pb.CloseCaseRequest, context: Any) -> pb.CloseCaseResponse:
        command = CloseCase(
            case_id=request.case_id,
            outcome=OUTCOMES.from_wire(request.outcome, field="outcome"),
            by=request.by,
            permission_id=request.license_id,
        )
        closed = await self._cases.close_case(command)
        return pb.CloseCaseResponse(case=case_of(closed.state), revision=closed.revision)

    async def ReopenCase(self, request: pb.ReopenCaseRequest, context: Any) -> pb.ReopenCaseResponse:
        command = ReopenCase(case_id=request.case_id, by=request.by, reason=request.reason)
        reopened = await self._cases.reopen_case(command)
        return pb.ReopenCaseResponse(case=case_of(reopened.state), revision=reopened.revision)

    async def GetCase(self, request: pb.GetCaseRequest, context: Any) -> pb.GetCaseResponse:
        found, texts = await self._cases.get_case(GetCase(case_id=request.case_id))
        return pb.GetCaseResponse(case=case_of(found.state, texts), revision=found.revision)

    async def ListAlerts(self, request: pb.ListAlertsRequest, context: Any) -> pb.ListAlertsResponse:
        query = ListAlerts(filter=_filter(request), page=page_of(request))
        rows, after = await self._cases.list_alerts(query)
        return pb.ListAlertsResponse(alerts=[alert_of(row) for row in rows], next_page_token=to_token(after))

    async def WatchAlerts(self, request: pb.WatchAlertsRequest, context: Any) -> AsyncIterator[pb.WatchAlertsResponse]:
        query = WatchAlerts(filter=_filter(request), after=request.after)
        async with aclosing(self._cases.watch_alerts(query)) as changes:
            async for change in changes:
                yield change_of(change)


def _filter(request: pb.ListAlertsRequest | pb.WatchAlertsRequest) -> Filter:
    return Filter(
        status=STATUS.find(request.status),
        severity=SEVERITIES.find(request.severity),
        reviewer=request.reviewer,
        work_id=request.work_id,
    )
