"""A commit: one step of one stream, written as one document; and the answer to a command."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from treaty.domain import Aggregate

A = TypeVar("A", bound=Aggregate[Any])

_VERSION = re.compile(r"[0-9]{12}")

Document = Mapping[str, Any]
"""A tree that BSON can hold: of str, int, bool, float, bytes, datetime, None, lists and mappings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseEntry:
    """One cause of a commit; the number `events` of the commit's events belong to it, in the order of the causes.

    `refusal` is None, or the refusal of a durable cause: {error, message, reason, field}.
    """

    id: str
    digest: str
    actor: str
    tenant: str
    trace: str
    correlation: str
    events: int
    refusal: Document | None = None
    tracestate: str = ""
    baggage: str = ""
    digest_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An integration event in the transactional outbox (Chris Richardson) of its commit.

    `cause` is an index into the causes of the commit.
    """

    type: str
    body: bytes
    time: datetime
    cause: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingCall:
    """A command to carry out after the commit: at once, or at its time (then it is a timer).

    `after` is a number of seconds, counted from the commit by the server's clock. Beside it, `due` is an estimate by
    the clock of the process that decided.
    """

    type: str
    body: Document
    cause: int
    due: datetime | None = None
    after: float | None = None

    def due_after(self, commit: datetime) -> datetime | None:
        """Returns when the command is due, if the commit was stored at the given time; None is at once."""
        return self.due if self.after is None else commit + timedelta(seconds=self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One immutable step of one stream.

    `state` is the snapshot after this commit. `sequence` is the number of integration events of the stream up to and
    including this commit. `token` is different for two attempts to write the same version. `position` is the server's
    timestamp (seconds, increment); it is set once the commit is read back.
    """

    stream: str
    version: int
    causes: Sequence[CauseEntry]
    events: Sequence[Document]
    state: Document
    outbox: Sequence[Outgoing]
    sequence: int
    calls: Sequence[PendingCall]
    token: str
    position: tuple[int, int] = (0, 0)

    @property
    def id(self) -> str:
        return commit_id(self.stream, self.version)

    @property
    def stored_at(self) -> datetime:
        """The server's time of the commit, to the second; the beginning of 1970 until the commit is read back."""
        return datetime.fromtimestamp(self.position[0], UTC)


@dataclass(frozen=True, slots=True)
class Fold:
    """A state that a fold kept: that of a stream after a version, in the shape with this fingerprint.

    `exists` says whether the stream has an event up to there.
    """

    stream: str
    shape: str
    version: int
    state: Document
    exists: bool


def commit_id(stream: str, version: int) -> str:
    """Returns the id of a commit; within a stream, ids sort in the order of the versions."""
    return f"{stream}@{version:012d}"


def parse_id(id: object) -> tuple[str, int] | None:
    """Returns the stream and the version of a commit's id, or None if it is not the id of a commit."""
    stream, _, digits = id.rpartition("@") if isinstance(id, str) else ("", "", "")
    return (stream, int(digits)) if stream and _VERSION.fullmatch(digits) and int(digits) else None


def revision(stream: str, version: int) -> str:
    """Returns the revision, stream and version, that a client receives with an answer."""
    return f"{stream}@{version}"


@dataclass(frozen=True, slots=True)
class Committed(Generic[A]):
    """The answer to a command: the state right after its own events, and the commit that holds them."""

    state: A
    stream: str
    version: int
    events: Sequence[Any] = ()

    @property
    def revision(self) -> str:
        return revision(self.stream, self.version)
