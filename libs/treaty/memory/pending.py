"""Pending work in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from treaty.clock import Clock
from treaty.followers.pending import First, Item, Kind
from treaty.probes import Waiting


class MemoryPending:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._items: dict[str, Item] = {}

    async def add(self, items: Sequence[Item]) -> None:
        for item in items:
            self._items.setdefault(item.id, item)

    async def first(self, lanes: Sequence[str]) -> Mapping[str, First]:
        wanted, found = set(lanes), dict[str, Item]()
        for item in self._items.values():
            if item.lane in wanted and (item.lane not in found or item.id < found[item.lane].id):
                found[item.lane] = item
        return {lane: First(item, self._wait(item)) for lane, item in found.items()}

    def _wait(self, item: Item) -> float:
        return 0.0 if item.due is None else max((item.due - self._clock.now()).total_seconds(), 0.0)

    async def delay(self, item: Item, seconds: float) -> None:
        self._items[item.id] = replace(item, due=self._clock.now() + timedelta(seconds=seconds))

    async def done(self, id: str) -> None:
        self._items.pop(id, None)

    async def lanes(self) -> Mapping[str, str]:
        parked = [item for item in self._items.values() if not item.is_timer]
        return {item.lane: item.id for item in sorted(parked, key=lambda item: item.id)}

    async def timers(self, limit: int) -> Mapping[str, datetime]:
        due = {item.id: item.due for item in self._items.values() if item.is_timer and item.due is not None}
        return dict(sorted(due.items(), key=lambda one: one[1])[:limit])

    async def now(self) -> datetime:
        return self._clock.now()

    async def find(self, limit: int, *, kind: Kind | None = None, due: bool = False) -> Sequence[Item]:
        wanted = [
            item
            for item in self._items.values()
            if kind in (None, item.kind) and not (due and item.is_timer and self._wait(item))
        ]
        return sorted(wanted, key=lambda item: item.id)[:limit]

    async def waiting(self) -> Waiting:
        parked = [item for item in self._items.values() if not item.is_timer]
        return Waiting(len(parked), min((item.since for item in parked if item.since), default=None))
