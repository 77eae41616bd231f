"""How much of something waits, and since when: what a gauge or a person wants to know of it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """`oldest` is None when nothing waits, or when it is not known since when."""

    count: int
    oldest: datetime | None = None

    def age(self, now: datetime) -> float:
        """Returns for how many seconds the oldest has waited; 0 when nothing does."""
        return 0.0 if self.oldest is None else max((now - self.oldest).total_seconds(), 0.0)
