"""The domain events of Compliance."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.media.compliance.domain.findings import Finding, Severity, Use


class Outcome(StrEnum):
    SETTLED = "settled"
    LICENSED = "licensed"
    DISMISSED = "dismissed"
    LAWYERS = "lawyers"


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionGranted:
    """`allowed` is 0 if the uses are not limited."""

    work_id: str
    holder_id: str
    places: tuple[str, ...]
    media: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime | None
    allowed: int
    exclusive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionProlonged:
    ends_at: datetime | None
    allowed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionEnded:
    ended_at: datetime


PermissionEvent = PermissionGranted | PermissionProlonged | PermissionEnded


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRegistered:
    sha256: str
    dhash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UseSighted:
    """`covered_by` is the permission that covers the use; without it, `finding` is the infringement."""

    use: Use
    holder_id: str
    reporter: str
    source: str
    covered_by: str
    finding: Finding | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InfringementDetected:
    finding: Finding
    severity: Severity
    detected_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingCorrected:
    """`uses` uses of the finding were an error of the report."""

    evidence: str
    uses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOpened:
    """A round of the review begins: with the first finding, with a more severe one, or because the case is reopened."""

    round: int
    severity: Severity
    opened_at: datetime
    take_within: timedelta
    decide_within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseAssigned:
    reviewer: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAdded:
    """The text is in the personal data, because it may be about people. `ref` finds it until it is erased."""

    author: str
    ref: str
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewerReminded:
    """`reviewer` is empty if nobody has taken the case."""

    reviewer: str
    reminded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseEscalated:
    level: int
    escalated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseClosed:
    """`permission_id` is the permission that was granted afterwards, if that is the outcome."""

    outcome: Outcome
    by: str
    permission_id: str
    round: int
    closed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReopened:
    """`by` is empty if another finding reopened it."""

    by: str
    reason: str


CaseEvent = (
    InfringementDetected
    | FindingCorrected
    | ReviewOpened
    | CaseAssigned
    | NoteAdded
    | ReviewerReminded
    | CaseEscalated
    | CaseClosed
    | CaseReopened
)
