"""What the core tells whoever watches it. `treaty.telemetry` turns it into spans and metrics; the core imports none."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class Span(Protocol):
    """A piece of work that is being watched; `trace` is its W3C traceparent, empty when nobody watches."""

    @property
    def trace(self) -> str: ...

    def note(self, **attributes: str | int | float | bool) -> None:
        """Adds attributes; underscores in their names stand for dots."""
        ...


class Probe(Protocol):
    """Where the core reports to. Must never raise and never wait."""

    def span(
        self,
        name: str,
        *,
        kind: str = "internal",
        parent: str = "",
        links: Sequence[str] = (),
        attributes: dict[str, str | int | float | bool] | None = None,
    ) -> AbstractContextManager[Span]:
        """Watches a block. `kind` is internal, server, client, producer or consumer; `parent` a traceparent."""
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
    """Nobody watches."""

    @contextmanager
    def span(
        self,
        name: str,
        *,
        kind: str = "internal",
        parent: str = "",
        links: Sequence[str] = (),
        attributes: dict[str, str | int | float | bool] | None = None,
    ) -> Iterator[Span]:
        yield _UNWATCHED

    def count(self, name: str, amount: int = 1, **attributes: str) -> None:
        pass

    def measure(self, name: str, value: float, **attributes: str) -> None:
        pass

    def gauge(self, name: str, value: float, **attributes: str) -> None:
        pass

    def reach(self, place: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Waiting:
    """`oldest` is None when nothing waits, or when it is not known since when."""

    count: int
    oldest: datetime | None = None

    def age(self, now: datetime) -> float:
        """Returns for how many seconds the oldest has waited; 0 when nothing does."""
        return 0.0 if self.oldest is None else max((now - self.oldest).total_seconds(), 0.0)
