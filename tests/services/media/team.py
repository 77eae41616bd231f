"""The client of Compliance, as a test uses it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import grpc
from media.compliance.v1 import compliance_events_pb2 as events
from media.compliance.v1 import compliance_service_pb2 as pb
from media.compliance.v1.compliance_service_pb2_grpc import ComplianceServiceStub
from treaty.chance import Ids
from treaty.testing.world import SeededIds

from tests.services.media.agency import TIMEOUT, now


@dataclass(slots=True)
class Team:
    """What reporters and reviewers do. `channel` leads to Compliance."""

    channel: Any
    ids: Ids = field(default_factory=lambda: SeededIds("team"))
    compliance: Any = field(init=False)

    def __post_init__(self) -> None:
        self.compliance = ComplianceServiceStub(self.channel)

    async def sight(self, request_id: str = "", **values: Any) -> pb.ReportSightingResponse:
        """Reports a use of "sunset" on the web in Germany."""
        known: dict[str, Any] = {"work_id": "sunset", "place": "DE", "medium": "web", "reporter": "eve"}
        request = pb.ReportSightingRequest(
            request_id=request_id or self.ids.new(), **{**known, "used_at": now(seconds=1), **values}
        )
        sighted: pb.ReportSightingResponse = await self.compliance.ReportSighting(request, timeout=TIMEOUT)
        return sighted

    async def assign(self, case_id: str, reviewer: str = "rita") -> pb.AssignCaseResponse:
        request = pb.AssignCaseRequest(request_id=self.ids.new(), case_id=case_id, reviewer=reviewer, by="max")
        assigned: pb.AssignCaseResponse = await self.compliance.AssignCase(request, timeout=TIMEOUT)
        return assigned

    async def note(self, case_id: str, text: str) -> pb.AddNoteResponse:
        request = pb.AddNoteRequest(request_id=self.ids.new(), case_id=case_id, author="rita", text=text)
        added: pb.AddNoteResponse = await self.compliance.AddNote(request, timeout=TIMEOUT)
        return added

    async def close(
        self, case_id: str, outcome: events.Outcome.ValueType = events.OUTCOME_SETTLED, license_id: str = ""
    ) -> pb.CloseCaseResponse:
        request = pb.CloseCaseRequest(
            request_id=self.ids.new(), case_id=case_id, outcome=outcome, by="rita", license_id=license_id
        )
        closed: pb.CloseCaseResponse = await self.compliance.CloseCase(request, timeout=TIMEOUT)
        return closed

    async def reopen(self, case_id: str) -> pb.ReopenCaseResponse:
        request = pb.ReopenCaseRequest(request_id=self.ids.new(), case_id=case_id, by="max", reason="not paid")
        reopened: pb.ReopenCaseResponse = await self.compliance.ReopenCase(request, timeout=TIMEOUT)
        return reopened

    async def case(self, case_id: str) -> pb.Case:
        found = await self.compliance.GetCase(pb.GetCaseRequest(case_id=case_id), timeout=TIMEOUT)
        case: pb.Case = found.case
        return case

    async def find_case(self, case_id: str) -> pb.Case | None:
        """Returns a case, or None if there is none yet."""
        try:
            return await self.case(case_id)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return None

    async def alerts(self, **values: Any) -> list[pb.Alert]:
        request = pb.ListAlertsRequest(**values)
        return list((await self.compliance.ListAlerts(request, timeout=TIMEOUT)).alerts)

    async def watch(self, **values: Any) -> "Watched":
        """Watches the alerts from the return of this call on."""
        watched = Watched(self.compliance.WatchAlerts(pb.WatchAlertsRequest(**values)))
        await watched.begun.wait()
        return watched


class Watched:
    """Keeps the alerts that a watcher receives, and its place behind them."""

    def __init__(self, call: Any) -> None:
        self.alerts: list[pb.Alert] = []
        self.revisions: list[str] = []
        self.place = ""
        self.begun = asyncio.Event()
        self._call = call
        self._task = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        async for answer in self._call:
            self.place = answer.place
            if answer.HasField("alert"):
                self.alerts.append(answer.alert)
                self.revisions.append(answer.revision)
            self.begun.set()

    async def leave(self) -> None:
        self._call.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
