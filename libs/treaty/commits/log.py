"""The port of the commit log, which keeps the commits of one context, and which followers read in order."""

from collections.abc import AsyncGenerator, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from treaty.commits.commit import Commit, Fold, parse_id
from treaty.dependencies import DependencyAway


class VersionTaken(Exception):
    """Another commit holds the version, or one of the causes has taken effect already; this is proven."""


class CommitRefused(Exception):
    """The store will never accept this commit, for example because it is too large. Nothing was written."""


class StoreAway(DependencyAway):
    """The store cannot be reached. Nothing was changed; try again."""

    dependency = "store"


class Unreadable(Exception):
    """A document among the commits cannot be read: a field is missing or of another type, or it is no commit at all.

    Attributes:
        id: the id of the document, as text; at most 1,000 characters.
        stream, version: from the id; an empty text and 0 if the id is not that of a commit.
    """

    def __init__(self, id: object, why: str) -> None:
        self.id = id[:1000] if isinstance(id, str) else repr(id)[:1000]
        self.stream, self.version = parse_id(id) or ("", 0)
        self.why = why
        super().__init__(f"the commit {self.id} cannot be read ({why}); `treaty holes` shows what a person can do")


MARGIN_SECONDS = 10
"""How far positions may be out of the order of the log: a commit behind a place is at most so much older than it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A follower's position in the log: `token` is private to the log, `position` is that of the last commit read.

    The tokens of one log are in its order, as texts; a place without a token has only a position.
    """

    token: str = ""
    position: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Batch:
    """Commits in the order of the log, and the place behind them.

    With `again`, the log searched for the commits (from the beginning, because the place was too old to resume from, or
    because a hole was closed), so the follower may have read some of them before. `unreadable` has the documents that
    a store could not read; a log has noted them as holes, so its batches have none.
    """

    commits: Sequence[Commit]
    place: Place
    again: bool = False
    unreadable: Sequence[Unreadable] = ()


@dataclass(frozen=True, slots=True)
class Behind:
    """The numbers of commits, events and calls behind a place."""

    commits: int
    events: int
    calls: int


class CommitLog(Protocol):
    """Keeps the commits of one context.

    Every implementation passes `treaty.testing.suites.commit_log`. A method that returns commits raises Unreadable, for
    the first of them that cannot be read; `follow`, `peek` and `under` pass over it.
    """

    async def append(self, commit: Commit) -> None:
        """Appends a commit; returns when it is durable on a majority.

        The log resolves an unknown outcome itself: it sends the identical commit again. So the call may last as long as
        the store is unreachable. Cancelling the call leaves the outcome unknown.

        Raises:
            VersionTaken: another commit holds the version, or a cause of this one is in the stream already.
            CommitRefused: the store will never accept the commit.
            StreamDuplicated: causes took effect twice on the stream, and nobody has accepted that yet.
        """
        ...

    async def head(self, stream: str, *, fresh: bool = False) -> Commit | None:
        """Returns the latest commit of the stream that a majority holds, or None.

        With `fresh`, it is at least as new as the primary's latest at the time of the call; without, it may lag.
        """
        ...

    async def read(
        self, stream: str, *, first: int = 1, last: int | None = None, states: bool = True, most: int = 0
    ) -> Sequence[Commit]:
        """Returns the commits of a stream from version `first` to version `last`, both included, in order.

        Without `states` each `state` is empty, which saves most of the memory. With `most`, it returns the first
        commits only: at most so many and about 16 MB, but at least one.
        """
        ...

    async def kept(self, stream: str, shape: str, version: int) -> Fold | None:
        """Returns the latest state of a stream that was kept in this shape, up to a version."""
        ...

    async def keep(self, fold: Fold) -> None:
        """Keeps a state."""
        ...

    async def forget(self, stream: str, first: int) -> None:
        """Drops the kept states of a stream from a version on, because its commits have changed there."""
        ...

    async def under(self, prefix: str) -> Sequence[Commit]:
        """Returns all commits of the streams whose names begin with a prefix, in order; as new as a fresh head."""
        ...

    async def replace(self, commit: Commit) -> None:
        """Puts a commit, with its position, in the place of a document that cannot be read. The document is kept aside.

        Raises:
            ValueError: if there is a document and it can be read.
            StoreAway: if the document was changed meanwhile.
        """
        ...

    async def caused_by(self, stream: str, causes: Sequence[str]) -> Sequence[Commit]:
        """Returns the commits of the stream that have one of the causes."""
        ...

    async def took_effect(self, causes: Sequence[str]) -> Set[str]:
        """Returns those of the causes that a commit of any stream has, themselves or a step of them (`<cause>/<step>`).

        It is for the causes of messages and calls. A log may make an index at the first call, beside running commands.
        """
        ...

    def follow(self, place: Place) -> AsyncGenerator[Batch, None]:
        """Yields all commits behind the place, for ever, without their `state`; an empty batch only moves the place.

        The commits of a stream from an open hole on are held back; they come, in order, when the hole is closed.

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
