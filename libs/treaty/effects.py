"""What a decision leads to besides events: integration events to publish, and calls to make after the commit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


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
