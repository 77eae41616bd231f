"""The outside world as the toolkit sees it: wall clock, identity and chance come only through these ports."""

import random
import uuid
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the wall-clock time. Waiting is asyncio's: its loop has a clock of its own."""

    def now(self) -> datetime:
        """Returns the time in UTC, with at most millisecond precision (what MongoDB keeps)."""
        ...


class Ids(Protocol):
    """Makes identifiers."""

    def new(self) -> str:
        """Returns a new UUID as text."""
        ...


class Chance(Protocol):
    """Spreads retries."""

    def jitter(self, seconds: float) -> float:
        """Returns a time between half and one and a half of `seconds`."""
        ...


def backoff(tries: int, first: float, most: float) -> float:
    """Returns the pause before another try, in seconds: doubled each time, up to `most`, however many there are."""
    return min(first * 2.0 ** min(tries, 100), most)


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


class RandomIds:
    """Random UUIDs (version 4)."""

    def new(self) -> str:
        return str(uuid.uuid4())


class RandomChance:
    """Uniform jitter."""

    def jitter(self, seconds: float) -> float:
        return seconds * random.uniform(0.5, 1.5)
