"""The wall clock, as a port. The toolkit reads the time only through it."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The port of the wall clock. Waiting uses asyncio instead, whose loop has a clock of its own."""

    def now(self) -> datetime:
        """Returns the time in UTC, with at most millisecond precision (the precision of MongoDB)."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)
