"""Pending work in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from treaty.clock import Clock
from treaty.followers.pending import Item
from treaty.probes import Waiting


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

    async def waiting(self) -> Waiting:
        parked = [item for item in self._items.values() if not item.is_timer]
        return Waiting(len(parked), min((item.since for item in parked if item.since), default=None))
