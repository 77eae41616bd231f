"""Personal data in memory."""

from collections.abc import Mapping

from treaty.personal_data import reference


class MemoryPersonalData:
    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, Mapping[str, str]]] = {}

    async def keep(self, subject: str, data: Mapping[str, str]) -> str:
        ref = reference(subject, data, b"memory")
        self._kept.setdefault(ref, (subject, dict(data)))
        return ref

    async def find(self, ref: str) -> Mapping[str, str] | None:
        kept = self._kept.get(ref)
        return None if kept is None else kept[1]

    async def erase(self, subject: str) -> int:
        gone = [ref for ref, (whose, _) in self._kept.items() if whose == subject]
        for ref in gone:
            del self._kept[ref]
        return len(gone)
