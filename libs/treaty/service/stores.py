"""The port of a context's stores: all of its stored data."""

from collections.abc import Sequence
from typing import Any, Protocol

from treaty.commits.log import CommitLog
from treaty.contents import Contents
from treaty.followers.leases import Checkpoints, Leases
from treaty.followers.pending import Pending
from treaty.messaging.quarantine import Quarantine
from treaty.messaging.replays import Replays
from treaty.personal_data import PersonalData
from treaty.projections.projection import Projection
from treaty.projections.rows import Rows
from treaty.seals.seal import Seals


class Stores(Protocol):
    """All stored data of one context, in a database of its own."""

    @property
    def log(self) -> CommitLog: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def checkpoints(self) -> Checkpoints: ...
    @property
    def pending(self) -> Pending: ...
    @property
    def quarantine(self) -> Quarantine: ...
    @property
    def replays(self) -> Replays: ...
    @property
    def personal_data(self) -> PersonalData: ...

    @property
    def contents(self) -> Contents: ...

    @property
    def seals(self) -> Seals: ...

    def rows(self, projection: Projection[Any]) -> Rows: ...

    async def prepare(self, projections: Sequence[Projection[Any]]) -> None:
        """Makes the indexes and the other objects that must exist before the first commit."""
        ...

    async def ping(self) -> None:
        """Checks that commands can commit now.

        Raises:
            StoreAway: if they cannot.
        """
        ...
