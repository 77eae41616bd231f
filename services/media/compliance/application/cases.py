"""The use cases of Compliance."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from treaty.clock import Clock
from treaty.commits import Committed, Feed, Repository
from treaty.domain import Call, NotFound, Rejected
from treaty.personal_data import PersonalData
from treaty.projections import Key, Page, View, Where

from services.media.compliance.application.commands import (
    AddNote,
    AssignCase,
    CloseCase,
    CorrectFinding,
    DetectInfringement,
    EndPermission,
    EraseNotes,
    Filter,
    GetCase,
    GrantPermission,
    ListAlerts,
    ProlongPermission,
    RecogniseWork,
    ReopenCase,
    ReportSighting,
    WatchAlerts,
)
from services.media.compliance.domain.case import Case
from services.media.compliance.domain.events import CaseAssigned, CaseClosed, CaseEvent, ReviewOpened, UseSighted
from services.media.compliance.domain.findings import Deadlines, Use
from services.media.compliance.domain.permission import Permission
from services.media.compliance.domain.sightings import Sighting, covers
from services.media.compliance.projections import AlertRow, PermissionRow, alert_of
from services.media.compliance.sagas.review import CaseDecided, CaseTaken, EscalateCase, RemindReviewer, RoundBegun

_AT_ONCE = 200
"""The number of permissions that are read at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of an alert in the feed, with its revision, and the place behind it. At the beginning there is none."""

    place: str
    revision: str = ""
    alert: AlertRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """The use cases of permissions, sightings, cases and their alerts."""

    permissions: Repository[Permission]
    sightings: Repository[Sighting]
    cases: Repository[Case]
    permission_rows: View[PermissionRow]
    alert_rows: View[AlertRow]
    recognise: Callable[[RecogniseWork], Awaitable[str]]
    feed: Feed[Case]
    personal_data: PersonalData
    clock: Clock
    deadlines: Deadlines

    async def grant_permission(self, command: GrantPermission) -> Committed[Permission]:
        return await self.permissions.add(command.permission_id, lambda it: it.grant(command.granted))

    async def prolong_permission(self, command: ProlongPermission) -> Committed[Permission]:
        return await self.permissions.add(
            command.permission_id, lambda it: it.prolong(command.ends_at, command.allowed)
        )

    async def end_permission(self, command: EndPermission) -> Committed[Permission]:
        return await self.permissions.add(command.permission_id, lambda it: it.end(command.ended_at))

    async def report_sighting(self, command: ReportSighting) -> Committed[Sighting]:
        """Holds a sighting against the permissions for the work that are known now.

        Raises:
            NotFound, WorkUncertain: if it names no work, and its picture does not show which one it is.
        """
        use, now = command.use, self.clock.now()
        if not use.work_id:
            use = replace(use, work_id=await self.recognise(command.picture))
        known = await self._permissions_for(use, command.holder_id)
        return await self.sightings.add(
            command.sighting_id,
            lambda it: it.sight(
                use,
                holder_id=command.holder_id,
                reporter=command.reporter,
                source=command.source,
                permissions=known,
                now=now,
            ),
        )

    async def detect_infringement(self, command: DetectInfringement) -> Committed[Case]:
        now = self.clock.now()
        return await self.cases.add(command.case_id, lambda it: it.detect(command.finding, self.deadlines, now))

    async def correct_finding(self, command: CorrectFinding) -> Committed[Case]:
        return await self.cases.add(command.case_id, lambda it: it.correct(command.evidence, command.uses))

    async def assign_case(self, command: AssignCase) -> Committed[Case]:
        return await self.cases.change(command.case_id, lambda it: it.assign(command.reviewer, command.by))

    async def add_note(self, command: AddNote) -> Committed[Case]:
        """Keeps the text among the personal data of the user, so that it is erased with it.

        A repeat does not keep a text again: it may have been erased since.
        """
        case = (await self.cases.get(command.case_id)).state
        subject, text = case.holder_id or case.id, {"text": command.text}
        ref = self.personal_data.reference(subject, text)
        if all(note.ref != ref for note in case.notes):
            await self.personal_data.keep(subject, text)
        now = self.clock.now()
        return await self.cases.change(command.case_id, lambda it: it.add_note(command.author, ref, now))

    async def erase_notes(self, command: EraseNotes) -> int:
        """Erases the texts of the notes about a user, or of a case without one; returns how many there were."""
        return await self.personal_data.erase(command.subject_id)

    async def close_case(self, command: CloseCase) -> Committed[Case]:
        """Closes a case. If it was licensed afterwards, the license must be for the same work."""
        if command.permission_id:
            await self._check_permission(command)
        now = self.clock.now()
        return await self.cases.change(
            command.case_id, lambda it: it.close(command.outcome, command.by, now, command.permission_id)
        )

    async def reopen_case(self, command: ReopenCase) -> Committed[Case]:
        now = self.clock.now()
        return await self.cases.change(
            command.case_id, lambda it: it.reopen(command.by, command.reason, self.deadlines, now)
        )

    async def remind_reviewer(self, command: RemindReviewer) -> Committed[Case]:
        now = self.clock.now()
        return await self.cases.change(command.case_id, lambda it: it.remind(command.round, now))

    async def escalate_case(self, command: EscalateCase) -> Committed[Case]:
        now = self.clock.now()
        return await self.cases.change(command.case_id, lambda it: it.escalate(command.round, command.level, now))

    async def get_case(self, query: GetCase) -> tuple[Committed[Case], Mapping[str, str]]:
        """Returns a case, and the texts of its notes by reference; those that were erased are left out."""
        found = await self.cases.get(query.case_id)
        texts = {note.ref: await self.personal_data.find(note.ref) for note in found.state.notes}
        return found, {ref: data["text"] for ref, data in texts.items() if data is not None}

    async def list_alerts(self, query: ListAlerts) -> tuple[list[AlertRow], Key | None]:
        """Returns a page of alerts, the latest first, and the key of the next page, or None at the end."""
        return await self.alert_rows.page(_where(query.filter), query.page)

    async def watch_alerts(self, query: WatchAlerts) -> AsyncGenerator[Change, None]:
        """Yields the changes of alerts. The first one has only the place where the watching begins."""
        async with self.feed.watch(query.after) as watching, aclosing(watching.entries()) as entries:
            yield Change(place=watching.place)
            async for entry in entries:
                alert = alert_of(entry.committed.state)
                if _is_shown(alert, query.filter):
                    yield Change(place=entry.place, revision=entry.committed.revision, alert=alert)

    async def _permissions_for(self, use: Use, holder_id: str) -> Sequence[PermissionRow]:
        """Returns the permissions that matter for a sighting: popular works have very many.

        Those are the user's own and the exclusive ones; for an unknown user, the first one that covers the use.
        """
        if not holder_id:
            async with aclosing(self._permissions({"work_id": use.work_id})) as known:
                async for one in known:
                    if covers(one, use):
                        return [one]
            return []
        own = [one async for one in self._permissions({"work_id": use.work_id, "holder_id": holder_id})]
        exclusive = [one async for one in self._permissions({"work_id": use.work_id, "exclusive": True})]
        return [*own, *(one for one in exclusive if one.holder_id != holder_id)]

    async def _permissions(self, where: Where) -> AsyncGenerator[PermissionRow, None]:
        after: Key | None = None
        while True:
            rows, after = await self.permission_rows.page(where, Page(size=_AT_ONCE, after=after))
            for row in rows:
                yield row
            if after is None:
                return

    async def _check_permission(self, command: CloseCase) -> None:
        case = (await self.cases.get(command.case_id)).state
        row = (await self.permission_rows.rows([command.permission_id])).get(command.permission_id)
        if row is None:
            raise NotFound(f"there is no license {command.permission_id}", reason="LICENSE_UNKNOWN")
        if row.work_id != case.work_id:
            raise Rejected(
                f"license {row.permission_id} is for {row.work_id}, and the case is about {case.work_id}",
                reason="LICENSE_FOR_ANOTHER_WORK",
            )


def _where(filter: Filter) -> Mapping[str, Any]:
    where = {
        "status": filter.status and filter.status.value,
        "severity": filter.severity and filter.severity.value,
        "reviewer": filter.reviewer,
        "work_id": filter.work_id,
    }
    return {name: value for name, value in where.items() if value}


def _is_shown(alert: AlertRow, filter: Filter) -> bool:
    pairs = (
        (filter.status, alert.status),
        (filter.severity, alert.severity),
        (filter.reviewer, alert.reviewer),
        (filter.work_id, alert.work_id),
    )
    return all(not wanted or wanted == value for wanted, value in pairs)


def follow_sighting(sighting: Sighting, event: UseSighted) -> Iterator[Call]:
    """Policy: opens a case for a use that no permission covers, or adds it to the case of the permission."""
    if event.finding is not None:
        case_id = event.finding.permission_id or sighting.id
        yield Call(DetectInfringement(case_id=case_id, finding=event.finding))


def follow_case(case: Case, event: CaseEvent) -> Iterator[Call]:
    """Policy: sends the events of a case to its review."""
    match event:
        case ReviewOpened():
            yield Call(
                RoundBegun(
                    case_id=case.id,
                    round=event.round,
                    take_within=event.take_within,
                    decide_within=event.decide_within,
                )
            )
        case CaseAssigned():
            yield Call(CaseTaken(case_id=case.id, reviewer=event.reviewer))
        case CaseClosed():
            yield Call(CaseDecided(case_id=case.id, round=event.round))
        case _:
            return
