"""Commits in memory, with the faults of a replica set: unknown outcomes, late inserts, a lagging majority, rollback."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence, Set
from dataclasses import dataclass, replace
from enum import Enum

from treaty.clock import Clock
from treaty.commits.commit import Commit, Fold
from treaty.commits.holes import HOLES
from treaty.commits.log import MARGIN_SECONDS, Batch, Behind, Place, StoreAway, Unreadable
from treaty.commits.store import Inserted, OutcomeUnknown, of_causes

_SCANNED_TOGETHER = 5

_SPOILED = "it was spoiled"


class Fault(Enum):
    """The fault of the next batch."""

    APPLIED = "applied, but the answer is lost"
    LOST = "not applied, and the answer is lost"
    LATE = "the answer is lost, and it is applied only with the next batch"
    LAGGING = "applied on the primary alone, until `catch_up` or `roll_back`"


@dataclass(slots=True)
class _Stored:
    commit: Commit
    durable: bool


class MemoryCommits:
    """A commit store in memory.

    `faults` is a queue: each batch that is inserted takes the next fault, if there is one. With `history_lost`, the
    next `follow` searches the whole log again. A commit with more than `largest` causes is refused. The seconds of a
    position come from the clock, and never go back. `spoil` and `spoil_next` make a commit `unreadable`; taking it
    out of that set mends it, but in the order of the log it stays as it was written. `kept_aside` has the commits that
    were replaced.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.faults: deque[Fault] = deque()
        self.history_lost = False
        self.largest = 1_000_000
        self.refused: set[str] = set()
        self.spoil_next = False
        self.unreadable: set[str] = set()
        self.folds: dict[tuple[str, str, int], Fold] = {}
        self.kept_aside: dict[str, Commit] = {}
        self._spoiled: set[str] = set()
        self._streams: dict[str, list[_Stored]] = {}
        self._causes: dict[tuple[str, str], _Stored] = {}
        self._order: list[Commit] = []
        self._late: list[Commit] = []
        self._lagging = False
        self._last = (0, 0)
        self._moved = asyncio.Event()

    @property
    def commits(self) -> Sequence[Commit]:
        """All durable commits, in the order of the log."""
        return tuple(self._order)

    @property
    def lagging(self) -> bool:
        """Whether only the primary has the latest commits."""
        return self._lagging

    async def insert(self, commits: Sequence[Commit]) -> Sequence[Inserted]:
        await asyncio.sleep(0)
        late, self._late = self._late, []
        self._apply(late)
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.LAGGING:
            self._lagging = True
        if fault is Fault.LATE:
            self._late = list(commits)
        outcomes = self._apply(commits) if fault in (None, Fault.APPLIED, Fault.LAGGING) else []
        self._notify()
        if self._lagging or fault is not None:
            raise OutcomeUnknown(fault.value if fault else Fault.LAGGING.value)
        return outcomes

    def lag(self) -> None:
        """Makes the primary the only member that has new commits, until `catch_up` or `roll_back`."""
        self._lagging = True

    async def catch_up(self) -> None:
        """Replicates all commits to the majority."""
        self._lagging = False
        lagging = [stored for stream in self._streams.values() for stored in stream if not stored.durable]
        for stored in sorted(lagging, key=lambda stored: stored.commit.position):
            stored.durable = True
            self._order.append(stored.commit)
        self._notify()

    async def roll_back(self) -> None:
        """Removes the commits that no majority had, as the death of the primary does."""
        self._lagging = False
        for name, stream in self._streams.items():
            self._streams[name] = [stored for stored in stream if stored.durable]
        self._causes = {cause: stored for cause, stored in self._causes.items() if stored.durable}
        self._notify()

    def spoil(self, id: str) -> None:
        """Makes a commit unreadable, as if it had been written so."""
        self.unreadable.add(id)
        self._spoiled.add(id)

    async def head(self, stream: str, *, fresh: bool = False) -> Commit | None:
        await asyncio.sleep(0)
        while fresh and not all(stored.durable for stored in self._streams.get(stream, ())):
            await self._moved.wait()
        durable = self._durable(stream)
        return self._read(durable[-1]) if durable else None

    async def read(
        self, stream: str, *, first: int = 1, last: int | None = None, states: bool = True, most: int = 0
    ) -> Sequence[Commit]:
        await asyncio.sleep(0)
        found = [c for c in self._durable(stream) if c.version >= first and (last is None or c.version <= last)]
        found = found[:most] if most else found
        return [self._read(c) if states else replace(self._read(c), state={}) for c in found]

    async def kept(self, stream: str, shape: str, version: int) -> Fold | None:
        await asyncio.sleep(0)
        found = [f for f in self.folds.values() if (f.stream, f.shape) == (stream, shape) and f.version <= version]
        return max(found, key=lambda fold: fold.version, default=None)

    async def keep(self, fold: Fold) -> None:
        await asyncio.sleep(0)
        self.folds[fold.stream, fold.shape, fold.version] = fold

    async def forget(self, stream: str, first: int) -> None:
        await asyncio.sleep(0)
        self.folds = {key: f for key, f in self.folds.items() if f.stream != stream or f.version < first}

    async def under(self, prefix: str) -> Sequence[Commit]:
        await asyncio.sleep(0)
        names = sorted(name for name in self._streams if name.startswith(prefix))
        return [c for name in names for c in self._durable(name) if c.id not in self.unreadable]

    async def replace(self, commit: Commit) -> None:
        await asyncio.sleep(0)
        if commit.id not in self.unreadable:
            raise ValueError(f"{commit.id} can be read")
        [stored] = [stored for stored in self._streams[commit.stream] if stored.commit.id == commit.id]
        if not stored.durable:
            raise StoreAway(f"{commit.id} is not durable yet")
        self.kept_aside[commit.id] = stored.commit
        for cause in stored.commit.causes:
            del self._causes[commit.stream, cause.id]
        self._causes.update({(commit.stream, cause.id): stored for cause in commit.causes})
        self._order[self._order.index(stored.commit)] = stored.commit = commit
        self.unreadable.discard(commit.id)

    async def caused_by(self, stream: str, causes: Sequence[str]) -> Sequence[Commit]:
        await asyncio.sleep(0)
        found = [self._causes.get((stream, cause)) for cause in causes]
        commits = {s.commit.id: s.commit for s in found if s is not None and s.durable}
        return [self._read(commit) for commit in commits.values()]

    async def took_effect(self, causes: Sequence[str]) -> Set[str]:
        await asyncio.sleep(0)
        return of_causes((cause for (_, cause), stored in self._causes.items() if stored.durable), causes)

    async def follow(self, place: Place) -> AsyncGenerator[Batch, None]:
        end = len(self._order)
        index = int(place.token) if place.token.isdecimal() else end + 1
        if self.history_lost or index > end:
            self.history_lost = False
            since = (place.position[0] - MARGIN_SECONDS, 0)
            again = sorted((c for c in self._order[:end] if c.position >= since), key=lambda commit: commit.position)
            for first in range(0, len(again), _SCANNED_TOGETHER):
                commits = again[first : first + _SCANNED_TOGETHER]
                place = Place("", commits[-1].position)
                yield self._batch(commits, place, self.unreadable, again=True)
            index = end
        while True:
            commits = self._order[index:]
            index += len(commits)
            place = _place(index, commits, place)
            yield self._batch(commits, place, self._spoiled)
            await self._wait_behind(index)

    @staticmethod
    def _batch(commits: Sequence[Commit], place: Place, unreadable: Set[str], *, again: bool = False) -> Batch:
        found = [Unreadable(c.id, _SPOILED) for c in commits if c.id in unreadable]
        return Batch([replace(c, state={}) for c in commits if c.id not in unreadable], place, again, found)

    def _read(self, commit: Commit) -> Commit:
        if commit.id in self.unreadable:
            raise Unreadable(commit.id, _SPOILED)
        return commit

    async def end(self) -> Place:
        return _place(len(self._order), self._order[-1:], Place())

    async def behind(self, place: Place) -> Behind:
        left = [commit for commit in self._order if commit.position > place.position]
        return Behind(len(left), sum(len(c.outbox) for c in left), sum(len(c.calls) for c in left))

    async def peek(self, place: Place, limit: int, *, publishing: bool = False) -> Sequence[Commit]:
        left = [c for c in self._order if c.position > place.position and c.id not in self.unreadable]
        return [replace(c, state={}) for c in left if c.outbox or not publishing][:limit]

    async def streams(self, prefix: str, limit: int) -> Sequence[str]:
        return sorted({commit.stream for commit in self._order if commit.stream.startswith(prefix)})[:limit]

    async def _wait_behind(self, index: int) -> None:
        while len(self._order) <= index:
            await self._moved.wait()

    def _durable(self, stream: str) -> list[Commit]:
        return [stored.commit for stored in self._streams.get(stream, ()) if stored.durable]

    def _apply(self, commits: Sequence[Commit]) -> list[Inserted]:
        return [self._apply_one(commit) for commit in commits]

    def _apply_one(self, commit: Commit) -> Inserted:
        if len(commit.causes) > self.largest:
            return Inserted.REFUSED
        stream = self._streams.setdefault(commit.stream, [])
        repeated = any((commit.stream, cause.id) in self._causes for cause in commit.causes)
        if repeated or any(stored.commit.version == commit.version for stored in stream):
            return Inserted.DUPLICATE
        stored = _Stored(replace(commit, position=self._position()), durable=not self._lagging)
        stream.append(stored)
        if self.spoil_next and not commit.stream.startswith(HOLES):
            self.spoil_next = False
            self.spoil(commit.id)
        for cause in commit.causes:
            self._causes[commit.stream, cause.id] = stored
        if stored.durable:
            self._order.append(stored.commit)
        return Inserted.STORED

    def _position(self) -> tuple[int, int]:
        """Returns a position behind every other, like a server's timestamp."""
        self._last = max((int(self._clock.now().timestamp()), self._last[1] + 1), (self._last[0], self._last[1] + 1))
        return self._last

    def _notify(self) -> None:
        """Wakes all current waiters; later ones wait for the next call."""
        self._moved.set()
        self._moved = asyncio.Event()


def _place(index: int, commits: Sequence[Commit], before: Place) -> Place:
    return Place(f"{index:012d}", max([before.position, *(commit.position for commit in commits)]))
