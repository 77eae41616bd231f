"""Domain probes (Pete Hodgson): the core reports its work to a probe.

`treaty.telemetry` implements the probe with spans and metrics. The core does not import that package.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypedDict, Unpack


class Span(Protocol):
    """A piece of work that is traced; `trace` is its W3C traceparent, empty without a tracer."""

    @property
    def trace(self) -> str: ...

    def note(self, **attributes: str | int | float | bool) -> None:
        """Adds attributes to the span; an underscore in a name stands for a dot."""
        ...


Attributes = Mapping[str, str | int | float | bool]


class Work(TypedDict, total=False):
    """The properties of a piece of work that are known before it begins.

    Attributes:
        kind: internal (the default), server, client, producer or consumer.
        parent: the W3C traceparent of the work that this one belongs to.
        links: the traceparents of other work that this one belongs to.
        attributes: the attributes of the span, by OpenTelemetry's names.
    """

    kind: str
    parent: str
    links: Sequence[str]
    attributes: Attributes


class Probe(Protocol):
    """Receives the reports of the core. Its methods must never raise and never wait."""

    def span(self, name: str, **work: Unpack[Work]) -> AbstractContextManager[Span]:
        """Opens a span around a block of code."""
        ...

    def count(self, name: str, amount: int = 1, **attributes: str) -> None:
        """Adds to a counter."""
        ...

    def measure(self, name: str, value: float, **attributes: str) -> None:
        """Adds a value to a histogram."""
        ...

    def gauge(self, name: str, value: float, **attributes: str) -> None:
        """Sets the value of a gauge."""
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
    """A probe that records nothing; other probes inherit from it and override the methods that they need."""

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
    """A probe that forwards all reports to another probe. Subclasses override the methods that they change."""

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
    """The number of waiting items, and the time of the oldest one; None if no item waits, or if the time is unknown."""

    count: int
    oldest: datetime | None = None

    def age(self, now: datetime) -> float:
        """Returns the seconds that the oldest item has waited; 0 if no item waits."""
        return 0.0 if self.oldest is None else max((now - self.oldest).total_seconds(), 0.0)
