"""The port of the commit log, which keeps the commits of one context, and which followers read in order."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from treaty.commits.commit import Commit
from treaty.dependencies import DependencyAway


class VersionTaken(Exception):
    """Another commit holds the version, or one of the causes has taken effect already; this is proven."""


class CommitRefused(Exception):
    """The store will never accept this commit, for example because it is too large. Nothing was written."""


class StoreAway(DependencyAway):
    """The store cannot be reached. Nothing was changed; try again."""

    dependency = "store"


@dataclass(frozen=True, slots=True)
class Place:
    """A follower's position in the log: `token` is private to the log, `position` is that of the last commit read."""

    token: str = ""
    position: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Batch:
    """Commits in the order of the log, and the place behind them.

    With `again`, the log searched for the commits (from the beginning, or because the place was too old to resume
    from), so the follower may have read some of them before.
    """

    commits: Sequence[Commit]
    place: Place
    again: bool = False


@dataclass(frozen=True, slots=True)
class Behind:
    """The numbers of commits, events and calls behind a place."""

    commits: int
    events: int
    calls: int


class CommitLog(Protocol):
    """Keeps the commits of one context.

    Every implementation passes `treaty.testing.suites.commit_log`.
    """

    async def append(self, commit: Commit) -> None:
        """Appends a commit; returns when it is durable on a majority.

        The log resolves an unknown outcome itself: it sends the identical commit again. So the call may last as long as
        the store is unreachable. Cancelling the call leaves the outcome unknown.

        Raises:
            VersionTaken: another commit holds the version, or a cause of this one is in the stream already.
            CommitRefused: the store will never accept the commit.
        """
        ...

    async def head(self, stream: str, *, fresh: bool = False) -> Commit | None:
        """Returns the latest commit of the stream that a majority holds, or None.

        With `fresh`, it is at least as new as the primary's latest at the time of the call; without, it may lag.
        """
        ...

    async def read(self, stream: str, *, first: int = 1, last: int | None = None) -> Sequence[Commit]:
        """Returns the commits of a stream from version `first` to version `last`, both included, in order."""
        ...

    async def caused_by(self, stream: str, causes: Sequence[str]) -> Sequence[Commit]:
        """Returns the commits of the stream that have one of the causes."""
        ...

    def follow(self, place: Place) -> AsyncGenerator[Batch, None]:
        """Yields all commits behind the place, for ever, without their `state`; an empty batch only moves the place.

        Batches with `again` are followed by one without, so that a reader can detect when it has caught up.
        """
        ...

    async def end(self) -> Place:
        """Returns the current end: from there, a follower reads every commit after this call, and no earlier one."""
        ...

    async def behind(self, place: Place) -> Behind:
        """Returns the numbers behind the place, by position: precise enough for a gauge, not for a decision."""
        ...

    async def peek(self, place: Place, limit: int, *, publishing: bool = False) -> Sequence[Commit]:
        """Returns the first commits behind the place by position without their `state`; for display, not for decisions.

        With `publishing`, returns only commits that have integration events.
        """
        ...

    async def streams(self, prefix: str, limit: int) -> Sequence[str]:
        """Returns the names of streams that begin with the prefix, in order."""
        ...
