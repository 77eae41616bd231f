"""What the core tells whoever watches it. `treaty.telemetry` turns it into spans and metrics; the core imports none."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypedDict, Unpack


class Span(Protocol):
    """A piece of work that is being watched; `trace` is its W3C traceparent, empty when nobody watches."""

    @property
    def trace(self) -> str: ...

    def note(self, **attributes: str | int | float | bool) -> None:
        """Adds attributes; underscores in their names stand for dots."""
        ...


Attributes = Mapping[str, str | int | float | bool]


class Work(TypedDict, total=False):
    """What is known of a piece of work before it begins.

    Attributes:
        kind: internal (the default), server, client, producer or consumer.
        parent: the W3C traceparent that the work belongs to.
        links: other traceparents that the work belongs to as well.
        attributes: of the span, by OpenTelemetry's names.
    """

    kind: str
    parent: str
    links: Sequence[str]
    attributes: Attributes


class Probe(Protocol):
    """Where the core reports to. Must never raise and never wait."""

    def span(self, name: str, **work: Unpack[Work]) -> AbstractContextManager[Span]:
        """Opens a span around a block."""
        ...

    def count(self, name: str, amount: int = 1, **attributes: str) -> None:
        """Adds to a counter."""
        ...

    def measure(self, name: str, value: float, **attributes: str) -> None:
        """Adds a value to a histogram."""
        ...

    def gauge(self, name: str, value: float, **attributes: str) -> None:
        """Sets a level."""
        ...

    def reach(self, place: str) -> None:
        """Marks that the code has reached a crash point, where a test may end the process: `treaty.process.crashes`."""
        ...


class _Unwatched:
    trace = ""

    def note(self, **attributes: str | int | float | bool) -> None:
        pass


_UNWATCHED = _Unwatched()


class NoProbe:
    """Records nothing. Other probes override the methods that they need."""

    def span(self, name: str, **work: Unpack[Work]) -> AbstractContextManager[Span]:
        return nullcontext(_UNWATCHED)

    def count(self, name: str, amount: int = 1, **attributes: str) -> None:
        pass

    def measure(self, name: str, value: float, **attributes: str) -> None:
        pass

    def gauge(self, name: str, value: float, **attributes: str) -> None:
        pass

    def reach(self, place: str) -> None:
        pass


class Forwarding:
    """Passes everything on to another probe. Subclasses override the methods that they change."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self.span = probe.span
        self.count = probe.count
        self.measure = probe.measure
        self.gauge = probe.gauge

    def reach(self, place: str) -> None:
        self._probe.reach(place)


@dataclass(frozen=True, slots=True)
class Waiting:
    """`oldest` is None when nothing waits, or when it is not known since when."""

    count: int
    oldest: datetime | None = None

    def age(self, now: datetime) -> float:
        """Returns for how many seconds the oldest has waited; 0 when nothing does."""
        return 0.0 if self.oldest is None else max((now - self.oldest).total_seconds(), 0.0)
