"""The base of a domain model: aggregates that change by recording events, and the errors that they raise."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, Self, TypeVar

E = TypeVar("E")


class DomainError(Exception):
    """The base of the errors that a command raises to refuse; the message is a sentence for a person.

    `reason` is the same in UPPER_SNAKE for machines; it defaults to the name of the error. With `recorded`, the refusal
    is in the commit log (see `treaty.commits`), so a repeated request gets the same answer. `details` are values for
    machines, such as the current price.
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
    """A business rule refuses the command."""

    reason = "REJECTED"


class Conflict(DomainError):
    """A concurrent change was faster; the caller may read the state and decide again."""

    reason = "CONFLICT"


class Invalid(DomainError):
    """The input is not valid; `field` is the name of the wrong field."""

    reason = "INVALID"

    def __init__(self, message: str, *, field: str = "", reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.field = field


@dataclass(slots=True, kw_only=True)
class Aggregate(Generic[E]):
    """An aggregate (Eric Evans): a consistency boundary whose state is the fold of its events.

    Methods decide and call `record`. Only `evolve` assigns attributes, and every attribute holds an immutable value
    (the codec refuses lists, sets and dicts). So a decision can run on a cheap copy that is thrown away if it fails.
    """

    id: str
    _recorded: list[E] = field(default_factory=list, init=False, repr=False, compare=False)

    def record(self, event: E) -> None:
        """Applies the event to the state, and keeps it for the commit: the two always happen together."""
        self.evolve(event)
        self._recorded.append(event)

    def evolve(self, event: E) -> None:
        """Applies one event to the state. It handles every event, decides nothing and refuses nothing."""
        raise NotImplementedError(f"{type(self).__name__} must implement `evolve` for {event!r}")

    def take_recorded(self) -> Sequence[E]:
        """Returns the events recorded since the last call, and clears them."""
        events = tuple(self._recorded)
        self._recorded.clear()
        return events

    def fork(self) -> Self:
        """Returns an independent copy without recorded events, to decide on."""
        twin = copy.copy(self)
        twin._recorded = []
        return twin


@dataclass(frozen=True, slots=True)
class Call:
    """A command, as a dataclass, to carry out once the commit is durable: at once, `after` some time, or at `due`.

    A deadline is given with `after`: it is counted from the commit by the server's clock, to the second, so it does not
    depend on the clock of any process. `due` is for moments that people or calendars give.
    """

    command: object
    due: datetime | None = None
    after: timedelta | None = None

    def __post_init__(self) -> None:
        if self.due is not None and self.after is not None:
            raise ValueError(f"{self.command!r} can be due at a moment or after a time, not both")


class Message(Protocol):
    """An integration event: the interface of a protobuf message, for modules that may not import protobuf."""

    @property
    def DESCRIPTOR(self) -> Any: ...

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes: ...


Effect = Call | Message
"""An effect of a decision besides its events: a call to make, or an integration event to publish."""


Policy = Callable[[Any, Any], Iterable[Effect]]
"""A function that returns the effects of one event.

Its arguments are the state after the command and one of the command's events. It is pure, because it runs again
whenever the decision does.
"""
