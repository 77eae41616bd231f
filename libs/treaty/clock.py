"""The outside world as the toolkit sees it: wall clock, identity and chance come only through these ports."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the wall-clock time. Waiting is asyncio's: its loop has a clock of its own."""

    def now(self) -> datetime:
        """Returns the time in UTC, with at most millisecond precision (what MongoDB keeps)."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)
