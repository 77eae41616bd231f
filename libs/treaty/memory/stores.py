"""All the stores of one context, in memory."""

from collections.abc import Sequence
from typing import Any

from treaty.log import GroupCommitLog
from treaty.memory.bookkeeping import (
    MemoryCheckpoints,
    MemoryLeases,
    MemoryPending,
    MemoryPrivate,
    MemoryQuarantine,
)
from treaty.memory.commits import MemoryCommits
from treaty.memory.rows import MemoryRows
from treaty.ports import Chance, Clock
from treaty.probes import NoProbe, Probe
from treaty.projections import Projection


class MemoryStores:
    """One context's stores; they live as long as this object, whatever is built on them."""

    def __init__(self, clock: Clock, chance: Chance, probe: Probe | None = None) -> None:
        self.commits = MemoryCommits(clock)
        self.log = GroupCommitLog(self.commits, chance=chance, probe=probe or NoProbe())
        self.leases = MemoryLeases(clock)
        self.checkpoints = MemoryCheckpoints()
        self.pending = MemoryPending(clock)
        self.quarantine = MemoryQuarantine()
        self.private = MemoryPrivate()
        self._rows: dict[str, MemoryRows] = {}

    def rows(self, projection: Projection[Any]) -> MemoryRows:
        return self._rows.setdefault(projection.name, MemoryRows(projection))

    async def prepare(self, projections: Sequence[Projection[Any]]) -> None:
        for projection in projections:
            self.rows(projection)

    async def ping(self) -> None:
        pass
