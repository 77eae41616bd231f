"""Uses of a picture as they are reported, and what a license keeps of each report."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.media.licensing.domain.terms import Medium


class Breach(StrEnum):
    """A way in which a use is not within its license."""

    PERIOD = "period"
    TERRITORY = "territory"
    MEDIUM = "medium"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A number of uses at one time, in one territory and one medium. The reporter chooses its id."""

    usage_id: str
    uses: int
    used_at: datetime
    territory: str
    medium: Medium


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report as a license keeps it. With `breaches`, it is outside of the license. `excess` is as first reported."""

    usage: Usage
    breaches: tuple[Breach, ...] = ()
    excess: int = 0
    corrections: int = 0
