"""The port of the commit log, which keeps the commits of one context and lets followers read them in order."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from treaty.commits.commit import Commit
from treaty.dependencies import DependencyAway


class VersionTaken(Exception):
    """Another commit is proven to hold the version, or one of the causes has taken effect already."""


class CommitRefused(Exception):
    """The store will never take this commit, such as one that is too large. Nothing was written."""


class StoreAway(DependencyAway):
    """The store cannot be reached. Nothing was changed; try again."""

    dependency = "store"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a follower has come: `token` is the log's own, `position` that of the last commit before it."""

    token: str = ""
    position: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Batch:
    """Commits in the order of the log, and the place behind them.

    `again` says that the log looked them up anew (from the beginning, or because a place was too old to go on from),
    so that some may have been seen before.
    """

    commits: Sequence[Commit]
    place: Place
    again: bool = False


@dataclass(frozen=True, slots=True)
class Behind:
    """What the commits behind a place hold."""

    commits: int
    events: int
    calls: int


class CommitLog(Protocol):
    """Keeps the commits of one context.

    Every implementation passes `treaty.testing.suites.commit_log`.
    """

    async def append(self, commit: Commit) -> None:
        """Returns when the commit is durable on a majority.

        An unknown outcome is resolved inside, by sending the identical commit again; so this may take as long as the
        store is away. Cancelling it leaves the outcome unknown.

        Raises:
            VersionTaken: another commit holds the version, or a cause of this one is in the stream already.
            CommitRefused: the store will never take it.
        """
        ...

    async def head(self, stream: str, *, fresh: bool = False) -> Commit | None:
        """Returns the latest commit of the stream that a majority holds, or None.

        With `fresh` it is at least the latest that the primary knew when it was asked; without it, it may lag.
        """
        ...

    async def read(self, stream: str, *, first: int = 1, last: int | None = None) -> Sequence[Commit]:
        """Returns the commits of a stream between two versions, both included, in order."""
        ...

    async def caused_by(self, stream: str, causes: Sequence[str]) -> Sequence[Commit]:
        """Returns the commits of the stream that one of the causes led to."""
        ...

    def follow(self, place: Place) -> AsyncGenerator[Batch, None]:
        """Yields all commits behind the place, for ever, without their `state`; an empty batch only moves the place.

        What was looked up anew is followed by a batch that was not, so that a reader knows when it has come to now.
        """
        ...

    async def end(self) -> Place:
        """Returns a place to follow from for whatever is committed after this call, and nothing before it."""
        ...

    async def behind(self, place: Place) -> Behind:
        """Counts what a follower at the place has before it, by position: good for a gauge, not for a decision."""
        ...

    async def peek(self, place: Place, limit: int, *, publishing: bool = False) -> Sequence[Commit]:
        """Returns the first commits behind the place, by position and without their `state`: for a look, no decision.

        With `publishing` only those that have integration events.
        """
        ...

    async def streams(self, prefix: str, limit: int) -> Sequence[str]:
        """Returns the names of streams that begin with the prefix, in order."""
        ...
