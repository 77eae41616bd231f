"""Domain probes (Pete Hodgson): the core reports its work to a probe.

`treaty.telemetry` implements the probe with spans and metrics. The core does not import that package.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
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

    def withdraw(self, name: str, **attributes: str) -> None:
        """Forgets the value of a gauge: from now on somebody else sets it, or nobody."""
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

    def withdraw(self, name: str, **attributes: str) -> None:
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
        self.withdraw = probe.withdraw

    def gauge(self, name: str, value: float, **attributes: str) -> None:
        self._probe.gauge(name, value, **attributes)

    def reach(self, place: str) -> None:
        self._probe.reach(place)


class _Holding(Forwarding):
    """Remembers the gauges that were set through it."""

    def __init__(self, probe: Probe) -> None:
        super().__init__(probe)
        self._set: dict[tuple[str, tuple[tuple[str, str], ...]], None] = {}

    def gauge(self, name: str, value: float, **attributes: str) -> None:
        self._set[name, tuple(attributes.items())] = None
        super().gauge(name, value, **attributes)

    def withdraw_all(self) -> None:
        for name, attributes in self._set:
            self._probe.withdraw(name, **dict(attributes))


@contextmanager
def holding(probe: Probe) -> Iterator[Probe]:
    """Yields a probe for work under a lease. At the end, the gauges that were set through it are withdrawn.

    Without that, a process would report the last values of its holding for ever, beside those of the next holder.
    """
    held = _Holding(probe)
    try:
        yield held
    finally:
        held.withdraw_all()


@dataclass(frozen=True, slots=True)
class Waiting:
    """The number of waiting items, and the time of the oldest one; None if no item waits, or if the time is unknown."""

    count: int
    oldest: datetime | None = None

    def age(self, now: datetime) -> float:
        """Returns the seconds that the oldest item has waited; 0 if no item waits."""
        return 0.0 if self.oldest is None else max((now - self.oldest).total_seconds(), 0.0)
