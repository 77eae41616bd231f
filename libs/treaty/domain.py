"""What a domain model is made of: aggregates that change by recording events, and the errors they raise."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, Self, TypeVar

E = TypeVar("E")


class DomainError(Exception):
    """A command that cannot be carried out; the message is a sentence for a person.

    `reason` is the same in UPPER_SNAKE for machines; it defaults to the name of the error. `recorded` says that the
    refusal is itself in the commit log (see `treaty.commits`), so that asking again gives the same answer.
    `details` are values that a machine can use, such as the price that holds instead.
    """

    reason = "FAILED"

    def __init__(self, message: str, *, reason: str | None = None, details: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reason = reason or type(self).reason
        self.details = dict(details or {})
        self.recorded = False

    @property
    def message(self) -> str:
        return str(self.args[0])


class NotFound(DomainError):
    """The aggregate does not exist."""

    reason = "NOT_FOUND"


class Rejected(DomainError):
    """A business rule says no."""

    reason = "REJECTED"


class Conflict(DomainError):
    """Somebody else was faster; the caller may look again and decide anew."""

    reason = "CONFLICT"


class Invalid(DomainError):
    """The input makes no sense; `field` names the part that is wrong."""

    reason = "INVALID"

    def __init__(self, message: str, *, field: str = "", reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.field = field


@dataclass(slots=True, kw_only=True)
class Aggregate(Generic[E]):
    """A consistency boundary whose state is the fold of its events.

    Methods decide and call `record`; only `evolve` assigns attributes, and every attribute holds an immutable value
    (the codec refuses lists, sets and dicts). That is what lets a decision run on a cheap copy and be thrown away.
    """

    id: str
    _recorded: list[E] = field(default_factory=list, init=False, repr=False, compare=False)

    def record(self, event: E) -> None:
        """Applies the event and remembers it for the commit: state and event are one act."""
        self.evolve(event)
        self._recorded.append(event)

    def evolve(self, event: E) -> None:
        """Applies one event to the state. Total, and free of decisions: what happened, happened."""
        raise NotImplementedError(f"{type(self).__name__} must say how {event!r} changes it")

    def take_recorded(self) -> Sequence[E]:
        """Hands over the events recorded since the last call."""
        events = tuple(self._recorded)
        self._recorded.clear()
        return events

    def fork(self) -> Self:
        """Returns an independent copy with nothing recorded, to decide on."""
        twin = copy.copy(self)
        twin._recorded = []
        return twin


@dataclass(frozen=True, slots=True)
class Call:
    """A command, as a dataclass, to be carried out once the commit is durable: at once, or at `due`."""

    command: object
    due: datetime | None = None


class Message(Protocol):
    """An integration event: a protobuf message, seen from where protobuf may not be imported."""

    @property
    def DESCRIPTOR(self) -> Any: ...

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes: ...


Effect = Call | Message


Policy = Callable[[Any, Any], Iterable[Effect]]
"""(state after the command, one of its events) → effects. Pure: it runs again when a decision does."""
