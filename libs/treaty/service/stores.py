"""The port of stores: everything one context keeps."""

from collections.abc import Sequence
from typing import Any, Protocol

from treaty.commits.log import CommitLog
from treaty.followers.leases import Checkpoints, Leases
from treaty.followers.pending import Pending
from treaty.messaging.quarantine import Quarantine
from treaty.messaging.replays import Replays
from treaty.personal_data import PersonalData
from treaty.projections.projection import Projection
from treaty.projections.rows import Rows


class Stores(Protocol):
    """Everything one context keeps, in one database of its own."""

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

    def rows(self, projection: Projection[Any]) -> Rows: ...

    async def prepare(self, projections: Sequence[Projection[Any]]) -> None:
        """Makes indexes and whatever else must be there before the first commit."""
        ...

    async def ping(self) -> None:
        """Raises if commands could not commit now."""
        ...
