"""Findings: uses that no permission covers, and how severe they are."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum


class Kind(StrEnum):
    EXCESS = "excess"
    PERIOD = "period"
    PLACE = "place"
    MEDIUM = "medium"
    UNLICENSED = "unlicensed"
    EXCLUSIVE = "exclusive"
    """Unlicensed, there and then where somebody else has an exclusive permission."""


class Severity(IntEnum):
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A use of a work at one time, in one place and one medium."""

    work_id: str
    place: str
    medium: str
    used_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A number of uses that are not covered. `evidence` is the id of the report or sighting.

    `holder_id` is empty if the user is not known; `allowed` is 0 if the uses are not limited, or not allowed at all.
    """

    evidence: str
    kinds: tuple[Kind, ...]
    use: Use
    uses: int
    holder_id: str = ""
    permission_id: str = ""
    allowed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """The time to decide on a case, by severity. A quarter of it is the time to take the case."""

    low: timedelta
    medium: timedelta
    high: timedelta
    critical: timedelta

    def to_decide(self, severity: Severity) -> timedelta:
        return {
            Severity.LOW: self.low,
            Severity.MEDIUM: self.medium,
            Severity.HIGH: self.high,
            Severity.CRITICAL: self.critical,
        }[severity]


ADVERTISING = "advertising"
"""The medium in which a use that is not allowed does the most harm."""


def severity_of(finding: Finding) -> Severity:
    """Returns the severity of the worst kind of a finding."""
    return max(_severity(kind, finding) for kind in finding.kinds)


def _severity(kind: Kind, finding: Finding) -> Severity:
    match kind:
        case Kind.EXCLUSIVE:
            return Severity.CRITICAL
        case Kind.UNLICENSED:
            return Severity.HIGH
        case Kind.EXCESS:
            return _severity_of_excess(finding.uses, finding.allowed)
        case Kind.MEDIUM if finding.use.medium == ADVERTISING:
            return Severity.HIGH
        case Kind.PERIOD | Kind.PLACE | Kind.MEDIUM:
            return Severity.MEDIUM


def _severity_of_excess(uses: int, allowed: int) -> Severity:
    """Up to a tenth of the allowed uses is low, and up to as many again is medium."""
    if 10 * uses <= allowed:
        return Severity.LOW
    return Severity.MEDIUM if uses <= allowed else Severity.HIGH
