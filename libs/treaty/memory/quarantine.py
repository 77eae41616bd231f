"""The quarantine in memory."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence, Set
from dataclasses import replace
from datetime import datetime

from treaty.messaging.quarantine import EVERYTHING, Answered, Held, Intent, Quarantined, Wanted, held
from treaty.probes import Waiting


class MemoryQuarantine:
    def __init__(self) -> None:
        self._items: dict[str, Quarantined] = {}
        self._answers: dict[object, Answered] = {}

    async def add(self, item: Quarantined) -> bool:
        if item.id in self._items:
            return False
        self._items[item.id] = item
        return True

    async def held(self, partition: int, *, key: str | None = None) -> AsyncIterator[Held]:
        for item in self._waiting():
            if item.partition == partition and key in (None, item.key):
                yield held(item)

    async def size(self, partition: int) -> int:
        return sum(item.partition == partition for item in self._waiting())

    async def asked(self, partition: int) -> Sequence[str]:
        mine = (item for item in self._waiting() if item.partition == partition)
        return list(dict.fromkeys(item.key for item in mine if item.intent))

    async def due(self, partition: int, now: datetime, *, away: Collection[str] = ()) -> Sequence[str]:
        mine = (item for item in self._waiting() if item.partition == partition and item.missing not in away)
        due = sorted((item.next_try, item.key) for item in mine if item.next_try and item.next_try <= now)
        return list(dict.fromkeys(key for _, key in due))

    async def update(self, known: Quarantined, new: Quarantined) -> bool:
        stored = self._items.get(known.id)
        if stored is None or not _is_still(stored, known):
            return False
        self._items[known.id] = replace(new, intent=stored.intent, partition=stored.partition)
        return True

    async def assign(self, partition_of: Callable[[str], int]) -> None:
        self._items = {id: replace(item, partition=partition_of(item.key)) for id, item in self._items.items()}

    async def remove(self, known: Quarantined) -> bool:
        stored = self._items.get(known.id)
        if stored is None or stored.intent is not None or not _is_still(stored, known):
            return False
        del self._items[known.id]
        return True

    async def find(self, wanted: Wanted = EVERYTHING, *, limit: int = 100) -> Sequence[Quarantined]:
        found = [item for item in self._waiting() if _is_wanted(item, wanted)][:limit]
        return [replace(item, detail="", envelope=replace(item.envelope, body=b"")) for item in found]

    async def waiting(self) -> Waiting:
        waiting = self._waiting()
        return Waiting(len(waiting), min((item.since for item in waiting), default=None))

    async def get(self, id: str) -> Quarantined | None:
        return self._items.get(id)

    async def knows(self, ids: Sequence[str]) -> Set[str]:
        return set(ids) & {*self._items, *(answered.message for answered in self._answers.values())}

    async def intend(self, id: str, intent: Intent) -> bool:
        item = self._items.get(id)
        if item is None or item.discarded:
            return False
        self._items[id] = replace(item, intent=intent)
        return True

    async def note(self, answered: Answered) -> None:
        key = answered.message, answered.intent.at, answered.intent.action
        before = self._answers[key].before if key in self._answers else answered.before
        self._answers[key] = replace(answered, before=before)

    async def answer(self, answered: Answered) -> None:
        await self.note(answered)
        item = self._items.get(answered.message)
        if item is not None and item.intent == answered.intent:
            self._items[item.id] = replace(item, intent=None)

    async def answers(self, message: str = "", *, limit: int = 100) -> Sequence[Answered]:
        found = [answered for answered in self._answers.values() if message in ("", answered.message)]
        return sorted(found, key=lambda answered: answered.at, reverse=True)[:limit]

    def _waiting(self) -> list[Quarantined]:
        return sorted((i for i in self._items.values() if not i.discarded), key=lambda i: (i.partition, i.order))


def _is_still(stored: Quarantined, known: Quarantined) -> bool:
    return not stored.discarded and (stored.attempts, stored.next_try) == (known.attempts, known.next_try)


def _is_wanted(item: Quarantined, wanted: Wanted) -> bool:
    return (
        (item.envelope.type == wanted.type or item.envelope.type.endswith(f".{wanted.type}") or not wanted.type)
        and wanted.error.lower() in item.error.lower()
        and wanted.key in ("", item.key)
        and (wanted.until is None or item.since <= wanted.until)
        and (item.schema or not wanted.schema)
    )
