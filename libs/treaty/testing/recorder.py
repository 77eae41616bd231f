"""A probe that records the reports of the core."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Unpack

from treaty.probes import NoProbe, Span, Work


@dataclass(slots=True)
class RecordedSpan:
    """An opened span, with its name, kind, parent, links and attributes."""

    name: str
    kind: str
    parent: str
    links: Sequence[str]
    notes: dict[str, str | int | float | bool] = field(default_factory=dict)

    @property
    def trace(self) -> str:
        return self.parent

    def note(self, **attributes: str | int | float | bool) -> None:
        self.notes.update(attributes)


class Recorder(NoProbe):
    """A probe that keeps counts, measures, gauges, crash points and spans by name."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.measures: defaultdict[str, list[float]] = defaultdict(list)
        self.gauges: dict[str, float] = {}
        self.reached: Counter[str] = Counter()
        self.spans: list[RecordedSpan] = []

    @contextmanager
    def span(self, name: str, **work: Unpack[Work]) -> Iterator[Span]:
        span = RecordedSpan(
            name,
            work.get("kind", "internal"),
            work.get("parent", ""),
            tuple(work.get("links", ())),
            dict(work.get("attributes", {})),
        )
        self.spans.append(span)
        yield span

    def count(self, name: str, amount: int = 1, **attributes: str) -> None:
        self.counts[name] += amount

    def measure(self, name: str, value: float, **attributes: str) -> None:
        self.measures[name].append(value)

    def gauge(self, name: str, value: float, **attributes: str) -> None:
        self.gauges[name] = value

    def withdraw(self, name: str, **attributes: str) -> None:
        self.gauges.pop(name, None)

    def reach(self, place: str) -> None:
        self.reached[place] += 1
