"""Replays in memory."""

from collections.abc import Sequence
from dataclasses import replace

from treaty.domain import Conflict
from treaty.messaging.replays import Replay


class MemoryReplays:
    def __init__(self) -> None:
        self._replays: dict[str, Replay] = {}

    async def add(self, replay: Replay) -> None:
        for known in await self.open():
            if known.producer == replay.producer:
                raise Conflict(f"the replay {known.id} of {replay.producer} is not over")
        self._replays[replay.id] = replay

    async def get(self, id: str) -> Replay | None:
        return self._replays.get(id)

    async def open(self) -> Sequence[Replay]:
        return [replay for replay in self._replays.values() if replay.is_open]

    async def find(self, limit: int = 100) -> Sequence[Replay]:
        return sorted(self._replays.values(), key=lambda replay: (replay.at, replay.id), reverse=True)[:limit]

    async def hold(self, id: str, partition: int) -> None:
        replay = self._replays[id]
        self._replays[id] = replace(replay, holding=replay.holding | {partition})

    async def deliver(self, id: str) -> bool:
        replay = self._replays.get(id)
        if replay is None or not replay.is_open:
            return False
        self._replays[id] = replace(replay, status="delivering")
        return True

    async def passed(self, id: str, partition: int) -> None:
        replay = self._replays[id]
        passed = replay.passed | {partition}
        over = replay.is_open and len(passed) == replay.partitions
        self._replays[id] = replace(replay, passed=passed, status="done" if over else replay.status)

    async def abandon(self, id: str) -> bool:
        replay = self._replays.get(id)
        if replay is None or not replay.is_open:
            return False
        self._replays[id] = replace(replay, status="abandoned")
        return True
