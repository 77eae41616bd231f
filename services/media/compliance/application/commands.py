"""The commands and queries of the use cases of Compliance, and the call that follows from a sighting."""

from dataclasses import dataclass
from datetime import datetime

from treaty.projections import FIRST, Page

from services.media.compliance.domain.case import Status
from services.media.compliance.domain.events import Outcome, PermissionGranted
from services.media.compliance.domain.findings import Finding, Severity, Use


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantPermission:
    permission_id: str
    granted: PermissionGranted


@dataclass(frozen=True, slots=True, kw_only=True)
class ProlongPermission:
    permission_id: str
    ends_at: datetime | None
    allowed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndPermission:
    permission_id: str
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectInfringement:
    case_id: str
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectFinding:
    case_id: str
    evidence: str
    uses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterWork:
    work_id: str
    sha256: str
    dhash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecogniseWork:
    """`dhashes` are those of the orientations of one picture, 64 bits in hex each."""

    sha256: str = ""
    dhashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSighting:
    """`holder_id` is empty if the user is not known. `source` is where the use can be seen.

    If the use names no work, it is the one that `picture` shows.
    """

    sighting_id: str
    use: Use
    holder_id: str
    reporter: str
    source: str
    picture: RecogniseWork = RecogniseWork()


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignCase:
    case_id: str
    reviewer: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddNote:
    case_id: str
    author: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseNotes:
    """`subject_id` is a user, or a case whose user is not known."""

    subject_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseCase:
    case_id: str
    outcome: Outcome
    by: str
    permission_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenCase:
    case_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCase:
    case_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """An alert is shown if all conditions hold. A condition that is empty or None always holds."""

    status: Status | None = None
    severity: Severity | None = None
    reviewer: str = ""
    work_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAlerts:
    filter: Filter = Filter()
    page: Page = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchAlerts:
    """Alerts behind the place `after`, or from now on."""

    filter: Filter = Filter()
    after: str = ""
