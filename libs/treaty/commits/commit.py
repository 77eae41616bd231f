"""The commit: one step of one stream, written as one document, and the answer that stands on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from treaty.domain import Aggregate

A = TypeVar("A", bound=Aggregate[Any])

Document = Mapping[str, Any]
"""A plain tree of str, int, bool, float, bytes, datetime, None, lists and mappings: what BSON can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseEntry:
    """One cause of a commit: `events` of the commit's events are its own, in the order of the causes.

    `refusal` is empty, or what a durable cause was refused with: {error, message, reason, field}.
    """

    id: str
    digest: str
    actor: str
    tenant: str
    trace: str
    correlation: str
    events: int
    refusal: Document | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An integration event in the outbox of its commit. `cause` indexes the causes of the commit."""

    type: str
    body: bytes
    time: datetime
    cause: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingCall:
    """A command to be carried out after the commit: at once, or at `due` (then it is a timer)."""

    type: str
    body: Document
    cause: int
    due: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One immutable step of one stream.

    `state` is the snapshot after this commit, `sequence` the number of integration events of the stream up to and
    with this commit, `token` tells this attempt from a rival's for the same version, `position` is the server's
    timestamp (seconds, increment), known once it is read back.
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
        """When the server took it, by its clock, to the second. The beginning of 1970 until it is read back."""
        return datetime.fromtimestamp(self.position[0], UTC)


def commit_id(stream: str, version: int) -> str:
    """Returns the id of a commit, which sorts like the version within a stream."""
    return f"{stream}@{version:012d}"


def revision(stream: str, version: int) -> str:
    """Returns what a client is told of the commit its answer stands on."""
    return f"{stream}@{version}"


@dataclass(frozen=True, slots=True)
class Committed(Generic[A]):
    """The answer to a command: the state right after its own events, and the commit it stands on."""

    state: A
    stream: str
    version: int
    events: Sequence[Any] = ()

    @property
    def revision(self) -> str:
        return revision(self.stream, self.version)
