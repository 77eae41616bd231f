"""Leases, checkpoints, pending work, quarantine and private data in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from treaty.commits import Place
from treaty.followers import Holder, LeaseLost
from treaty.pending import Item
from treaty.ports import Clock
from treaty.private import reference
from treaty.quarantine import EVERYTHING, Answered, Intent, Quarantined, Wanted
from treaty.standing import Standing


class MemoryLeases:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, tuple[str, Any, int]] = {}

    async def acquire(self, name: str, owner: str, seconds: float) -> int | None:
        now = self._clock.now()
        holder, until, epoch = self._held.get(name, ("", now, 0))
        if holder not in ("", owner) and until > now:
            return None
        epoch += holder != owner
        self._held[name] = (owner, now + timedelta(seconds=seconds), epoch)
        return epoch

    async def release(self, name: str, owner: str) -> None:
        holder, _, epoch = self._held.get(name, ("", None, 0))
        if holder == owner:
            self._held[name] = ("", self._clock.now(), epoch)

    async def holders(self) -> Mapping[str, Holder]:
        now = self._clock.now()
        held = {
            name: Holder(owner=owner, epoch=epoch, until=until) for name, (owner, until, epoch) in self._held.items()
        }
        return {name: holder for name, holder in held.items() if holder.owner and holder.until > now}


class MemoryCheckpoints:
    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._epochs: dict[str, int] = {}

    async def load(self) -> Mapping[str, Place]:
        return dict(self._places)

    async def save(self, places: Mapping[str, Place], epoch: int) -> None:
        newest = max((self._epochs.get(name, 0) for name in places), default=0)
        if epoch < newest:
            raise LeaseLost(f"epoch {epoch} is over; it is {newest} now")
        self._epochs.update(dict.fromkeys(places, epoch))
        self._places.update(places)

    async def forget(self, names: Sequence[str]) -> None:
        for name in names:
            self._places.pop(name, None)


class MemoryPending:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._items: dict[str, Item] = {}

    async def add(self, items: Sequence[Item]) -> None:
        for item in items:
            self._items.setdefault(item.id, item)

    async def due(self, limit: int) -> Sequence[Item]:
        first: dict[str, Item] = {}
        for item in sorted(self._items.values(), key=lambda item: item.id):
            first.setdefault(item.lane, item)
        now = self._clock.now()
        return [item for item in first.values() if item.due is None or item.due <= now][:limit]

    async def delay(self, item: Item, seconds: float) -> None:
        self._items[item.id] = replace(item, due=self._clock.now() + timedelta(seconds=seconds))

    async def done(self, id: str) -> None:
        self._items.pop(id, None)

    async def lanes(self) -> Mapping[str, str]:
        return {item.lane: item.id for item in sorted(self._items.values(), key=lambda item: item.id)}

    async def find(self, limit: int) -> Sequence[Item]:
        return sorted(self._items.values(), key=lambda item: item.id)[:limit]

    async def standing(self) -> Standing:
        parked = [item for item in self._items.values() if not item.is_timer]
        return Standing(len(parked), min((item.since for item in parked if item.since), default=None))


class MemoryQuarantine:
    def __init__(self) -> None:
        self._items: dict[str, Quarantined] = {}
        self._answers: dict[object, Answered] = {}

    async def add(self, item: Quarantined) -> None:
        self._items.setdefault(item.id, item)

    async def held(self, partition: int, *, key: str | None = None) -> Sequence[Quarantined]:
        return [i for i in self._waiting() if i.partition == partition and key in (None, i.key)]

    async def update(self, item: Quarantined) -> None:
        known = self._items.get(item.id)
        if known is not None:
            self._items[item.id] = replace(item, intent=known.intent)

    async def remove(self, id: str) -> None:
        self._items.pop(id, None)

    async def find(self, wanted: Wanted = EVERYTHING, *, limit: int = 100) -> Sequence[Quarantined]:
        return [item for item in self._waiting() if _is_wanted(item, wanted)][:limit]

    async def standing(self) -> Standing:
        waiting = self._waiting()
        return Standing(len(waiting), min((item.since for item in waiting), default=None))

    async def get(self, id: str) -> Quarantined | None:
        return self._items.get(id)

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


def _is_wanted(item: Quarantined, wanted: Wanted) -> bool:
    return (
        (item.envelope.type == wanted.type or item.envelope.type.endswith(f".{wanted.type}") or not wanted.type)
        and wanted.error.lower() in item.error.lower()
        and wanted.key in ("", item.key)
        and (wanted.until is None or item.since <= wanted.until)
        and (item.schema or not wanted.schema)
    )


class MemoryPrivate:
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
