"""Turns: which of many waiting lanes is next, by the time at which each is due and apart for each group."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count


@dataclass(slots=True)
class Turns:
    """Lanes that wait for their time, in seconds of any one clock. A lane waits in one group at a time."""

    _heaps: dict[str, list[tuple[float, int, str]]] = field(default_factory=dict)
    _entries: dict[str, tuple[float, int, str]] = field(default_factory=dict)
    _numbers: "count[int]" = field(default_factory=count)

    def __contains__(self, lane: str) -> bool:
        return lane in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, lane: str, at: float, group: str) -> None:
        """Lets a lane wait until `at` in a group, instead of wherever it waited before."""
        entry = self._entries[lane] = (at, next(self._numbers), lane)
        heapq.heappush(self._heaps.setdefault(group, []), entry)

    def groups(self) -> Sequence[str]:
        """Returns the groups with a lane, the one that was served longest ago first."""
        for group in list(self._heaps):
            if self._next(group) is None:
                del self._heaps[group]
        return list(self._heaps)

    def next_at(self, group: str) -> float:
        """Returns when the first lane of a group is due; infinity without one."""
        first = self._next(group)
        return float("inf") if first is None else first[0]

    def take(self, group: str, now: float, most: int) -> Sequence[str]:
        """Removes and returns lanes of a group that are due, the earliest first; the group is served last next time."""
        taken: list[str] = []
        while len(taken) < most and self.next_at(group) <= now:
            _, _, lane = heapq.heappop(self._heaps[group])
            del self._entries[lane]
            taken.append(lane)
        self._heaps[group] = self._heaps.pop(group)
        return taken

    def _next(self, group: str) -> tuple[float, int, str] | None:
        """Returns the first entry of a group that still counts; a lane that was put again has left its old one."""
        heap = self._heaps.get(group, [])
        while heap and self._entries.get(heap[0][2]) is not heap[0]:
            heapq.heappop(heap)
        return heap[0] if heap else None
