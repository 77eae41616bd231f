"""Personal data in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from treaty.clock import Clock
from treaty.personal_data import reference


@dataclass(frozen=True, slots=True)
class _Kept:
    subject: str
    data: Mapping[str, str]
    until: datetime | None


class MemoryPersonalData:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def reference(self, subject: str, data: Mapping[str, str]) -> str:
        return reference(subject, data, b"memory")

    async def keep(self, subject: str, data: Mapping[str, str], *, lasting: timedelta | None = None) -> str:
        ref = self.reference(subject, data)
        self._kept[ref] = _Kept(subject, dict(data), None if lasting is None else self._clock.now() + lasting)
        return ref

    async def find(self, ref: str) -> Mapping[str, str] | None:
        kept = self._kept.get(ref)
        if kept is None:
            return None
        if kept.until is not None and kept.until <= self._clock.now():
            del self._kept[ref]
            return None
        return kept.data

    async def erase(self, subject: str) -> int:
        gone = [ref for ref, kept in self._kept.items() if kept.subject == subject]
        for ref in gone:
            del self._kept[ref]
        return len(gone)
