"""The port of a store of commits: it inserts a batch, returns the outcome of each commit, and reads."""

from collections.abc import AsyncGenerator, Iterable, Sequence, Set
from enum import Enum
from typing import Protocol

from treaty.commits.commit import Commit, Fold
from treaty.commits.log import Batch, Behind, Place


class Inserted(Enum):
    """The outcome of one commit of a batch."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


class OutcomeUnknown(Exception):
    """All, some or none of the batch may be stored, now or later: the connection broke, or no majority was in time."""


def of_causes(found: Iterable[str], wanted: Sequence[str]) -> Set[str]:
    """Returns those of the wanted causes that were found, themselves or a step of them."""
    looked_for = frozenset(wanted)
    seen: set[str] = set()
    for cause in found:
        parts = cause.split("/")
        seen |= looked_for & {"/".join(parts[:length]) for length in range(1, len(parts) + 1)}
    return seen


class CommitStore(Protocol):
    """A store for commits. See `treaty.commits.log.CommitLog` for the methods that read.

    The batches of `follow` have the documents that cannot be read apart; nothing is held back.
    """

    @property
    def refused(self) -> Set[str]:
        """The streams that take no commands, because causes took effect twice on them."""
        ...

    async def insert(self, commits: Sequence[Commit]) -> Sequence[Inserted]:
        """Inserts each commit independently; returns their outcomes once a majority has them, duplicates included.

        Raises:
            OutcomeUnknown: the outcome of every commit of the batch is unknown.
        """
        ...

    async def head(self, stream: str, *, fresh: bool = False) -> Commit | None: ...

    async def read(
        self, stream: str, *, first: int = 1, last: int | None = None, states: bool = True, most: int = 0
    ) -> Sequence[Commit]: ...

    async def kept(self, stream: str, shape: str, version: int) -> Fold | None: ...

    async def keep(self, fold: Fold) -> None: ...

    async def forget(self, stream: str, first: int) -> None: ...

    async def under(self, prefix: str) -> Sequence[Commit]: ...

    async def replace(self, commit: Commit) -> None: ...

    async def caused_by(self, stream: str, causes: Sequence[str]) -> Sequence[Commit]: ...

    async def took_effect(self, causes: Sequence[str]) -> Set[str]: ...

    def follow(self, place: Place) -> AsyncGenerator[Batch, None]: ...

    async def end(self) -> Place: ...

    async def behind(self, place: Place) -> Behind: ...

    async def peek(self, place: Place, limit: int, *, publishing: bool = False) -> Sequence[Commit]: ...

    async def streams(self, prefix: str, limit: int) -> Sequence[str]: ...
