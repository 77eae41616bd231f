"""All the stores of one context, in memory."""

from collections.abc import Sequence
from typing import Any

from treaty.commits.group_commit import GroupCommitLog
from treaty.commits.log import StoreAway
from treaty.contents import Contents
from treaty.memory.commits import MemoryCommits
from treaty.memory.contents import MemoryContents
from treaty.memory.leases import MemoryCheckpoints, MemoryLeases
from treaty.memory.pending import MemoryPending
from treaty.memory.personal_data import MemoryPersonalData
from treaty.memory.quarantine import MemoryQuarantine
from treaty.memory.replays import MemoryReplays
from treaty.memory.rows import MemoryRows
from treaty.memory.seals import MemorySeals
from treaty.projections.projection import Projection
from treaty.surroundings import Surroundings


class MemoryStores:
    """The stores of one context; their data lives as long as this object, and survives a restart of the context."""

    def __init__(self, surroundings: Surroundings, *, patience: float = 5.0) -> None:
        clock = surroundings.clock
        self._patience = patience
        self.commits = MemoryCommits(clock)
        self.log = GroupCommitLog(self.commits, surroundings=surroundings)
        self.leases = MemoryLeases(clock)
        self.checkpoints = MemoryCheckpoints()
        self.pending = MemoryPending(clock)
        self.quarantine = MemoryQuarantine()
        self.replays = MemoryReplays()
        self.personal_data = MemoryPersonalData(clock)
        self.contents: Contents = MemoryContents(clock)
        self.seals = MemorySeals(self.commits)
        self._rows: dict[str, MemoryRows] = {}

    def rows(self, projection: Projection[Any]) -> MemoryRows:
        return self._rows.setdefault(projection.name, MemoryRows(projection))

    async def prepare(self, projections: Sequence[Projection[Any]]) -> None:
        for projection in projections:
            self.rows(projection)

    async def ping(self) -> None:
        """Checks that commits become durable.

        Raises:
            StoreAway: if the majority lags, or a commit does not become durable in time.
        """
        if self.commits.lagging:
            raise StoreAway("the majority does not follow the primary: no commit can become durable")
        self.log.check(self._patience)
