"""What the core tells whoever watches it. `treaty.telemetry` turns it into spans and metrics; the core imports none."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
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
        """Says that the code has come to a named place, where a test may let the process end: `treaty.crashes`."""
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
