"""The case aggregate: the findings about one permission or sighting, their review, and its outcome."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from treaty.domain import Aggregate, Rejected

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
from services.media.compliance.domain.findings import Deadlines, Finding, Kind, Severity, severity_of

KEPT = 50
"""The number of the latest findings, and of the latest notes, that a case keeps. The others are in its history."""


class Status(StrEnum):
    NEW = "new"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    author: str
    ref: str
    added_at: datetime


@dataclass(slots=True, kw_only=True)
class Case(Aggregate[CaseEvent]):
    """One case. Its id is that of the permission, or of the sighting without one.

    `uses` is the number of uses that are not covered, after corrections. `round` counts the rounds of the review.
    """

    status: Status = Status.NEW
    work_id: str = ""
    holder_id: str = ""
    permission_id: str = ""
    severity: Severity = Severity.LOW
    kinds: tuple[Kind, ...] = ()
    findings: tuple[Finding, ...] = ()
    uses: int = 0
    round: int = 0
    raised_at: datetime | None = None
    decide_by: datetime | None = None
    reviewer: str = ""
    level: int = 0
    reminders: int = 0
    notes: tuple[Note, ...] = ()
    outcome: Outcome | None = None

    def detect(self, finding: Finding, deadlines: Deadlines, now: datetime) -> None:
        """Adds a finding. It opens the case, reopens it if it is closed, and begins a round if it is more severe."""
        severity, before = severity_of(finding), self.severity
        status = self.status
        self.record(InfringementDetected(finding=finding, severity=severity, detected_at=now))
        if status is Status.CLOSED:
            self.record(CaseReopened(by="", reason="there is another finding"))
        if status is not Status.OPEN or severity > before:
            self._open_review(deadlines, now)

    def correct(self, evidence: str, uses: int) -> None:
        """Takes off uses of findings that were an error of the report. A person decides whether the case is closed."""
        if self.status is not Status.NEW and uses > 0:
            self.record(FindingCorrected(evidence=evidence, uses=min(uses, self.uses)))

    def assign(self, reviewer: str, by: str) -> None:
        self._must_be_open()
        if reviewer != self.reviewer:
            self.record(CaseAssigned(reviewer=reviewer, by=by))

    def add_note(self, author: str, ref: str, now: datetime) -> None:
        self._must_exist()
        self.record(NoteAdded(author=author, ref=ref, added_at=now))

    def remind(self, round: int, now: datetime) -> None:
        if self._is_in(round):
            self.record(ReviewerReminded(reviewer=self.reviewer, reminded_at=now))

    def escalate(self, round: int, level: int, now: datetime) -> None:
        if self._is_in(round) and level > self.level:
            self.record(CaseEscalated(level=level, escalated_at=now))

    def close(self, outcome: Outcome, by: str, now: datetime, permission_id: str = "") -> None:
        """Ends the review. Only an assigned case is closed, so that somebody has decided."""
        self._must_be_open()
        if not self.reviewer:
            raise Rejected(f"case {self.id} is assigned to nobody: assign it first", reason="CASE_NOT_ASSIGNED")
        if (outcome is Outcome.LICENSED) != bool(permission_id):
            raise Rejected(
                "a case that is licensed afterwards names the license; with another outcome there is none",
                reason="LICENSE_NEEDED" if outcome is Outcome.LICENSED else "LICENSE_NOT_EXPECTED",
            )
        self.record(CaseClosed(outcome=outcome, by=by, permission_id=permission_id, round=self.round, closed_at=now))

    def reopen(self, by: str, reason: str, deadlines: Deadlines, now: datetime) -> None:
        self._must_exist()
        if self.status is Status.CLOSED:
            self.record(CaseReopened(by=by, reason=reason))
            self._open_review(deadlines, now)

    def _open_review(self, deadlines: Deadlines, now: datetime) -> None:
        within = deadlines.to_decide(self.severity)
        self.record(
            ReviewOpened(
                round=self.round + 1,
                severity=self.severity,
                opened_at=now,
                take_within=within / 4,
                decide_within=within,
            )
        )

    def _is_in(self, round: int) -> bool:
        return self.status is Status.OPEN and round == self.round

    def _must_exist(self) -> None:
        if self.status is Status.NEW:
            raise Rejected(f"case {self.id} has no finding yet", reason="CASE_NOT_OPEN")

    def _must_be_open(self) -> None:
        self._must_exist()
        if self.status is Status.CLOSED:
            raise Rejected(f"case {self.id} is closed ({self.outcome}): reopen it first", reason="CASE_CLOSED")

    def evolve(self, event: CaseEvent) -> None:
        match event:
            case InfringementDetected():
                self._evolve_finding(event)
            case FindingCorrected():
                self.uses -= event.uses
            case ReviewOpened():
                self.round, self.level, self.reminders = event.round, 0, 0
                self.raised_at = event.opened_at
                self.decide_by = event.opened_at + event.decide_within
            case CaseAssigned():
                self.reviewer = event.reviewer
            case NoteAdded():
                note = Note(author=event.author, ref=event.ref, added_at=event.added_at)
                self.notes = (*self.notes[-KEPT + 1 :], note)
            case ReviewerReminded():
                self.reminders += 1
            case CaseEscalated():
                self.level = event.level
            case CaseClosed():
                self.status, self.outcome = Status.CLOSED, event.outcome
                self.permission_id = event.permission_id or self.permission_id
            case CaseReopened():
                self.status, self.outcome = Status.OPEN, None

    def _evolve_finding(self, event: InfringementDetected) -> None:
        finding = event.finding
        if self.status is Status.NEW:
            self.status = Status.OPEN
            self.work_id, self.holder_id = finding.use.work_id, finding.holder_id
            self.permission_id = finding.permission_id
        self.severity = max(self.severity, event.severity)
        self.kinds = tuple(dict.fromkeys((*self.kinds, *finding.kinds)))
        self.findings = (*self.findings[-KEPT + 1 :], finding)
        self.uses += finding.uses
