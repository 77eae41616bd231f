"""The stored form of one kind of aggregate: its stream name, the names of its events, and its snapshot."""

import dataclasses
import sys
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from treaty.commits.codec import Codec, Names, NotStorable, Shape, codec_of
from treaty.commits.commit import Document
from treaty.domain import Aggregate
from treaty.wiring import shape_of

A = TypeVar("A", bound=Aggregate[Any])


class Stored(Generic[A]):
    """Defines the stored form of an aggregate and its events.

    Args:
        stream: the first part of every stream's name, without a dash; the second part is the aggregate's id.
        kind: the aggregate's class; `kind(id=...)` is its blank state, before its first event.
        events: the stored names of all events that it can record.
        state: the codec of the state, if it is not the codec of the class.
    """

    def __init__(self, stream: str, kind: type[A], events: Iterable[Shape], *, state: Codec | None = None) -> None:
        if "-" in stream:
            raise NotStorable(f"{stream!r} cannot name a stream: the first dash separates the name from the id")
        self.stream = stream
        self.kind = kind
        self.events = Names(events)
        self._state = state or codec_of(cast(Any, kind))
        self._fingerprint = self._state.fingerprint
        unnamed = [event for event in recorded_by(kind) if event not in {shape.kind for shape in self.events.shapes}]
        if unnamed:
            lines = ", ".join(shape_of(event) for event in unnamed)
            raise NotStorable(
                f"{kind.__name__} records {unnamed[0].__name__}, which has no stored name: "
                f'add {lines} to the events of Stored("{stream}", …) in storage.py'
            )

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the stored form of the state."""
        return self._fingerprint

    def stream_of(self, id: str) -> str:
        return f"{self.stream}-{id}"

    def id_of(self, stream: str) -> str:
        return stream.removeprefix(f"{self.stream}-")

    def owns(self, stream: str) -> bool:
        return stream.startswith(f"{self.stream}-")

    def blank(self, id: str) -> A:
        return self.kind(id=id)

    def snapshot(self, state: A) -> dict[str, Any]:
        """Returns {shape, data}: the fingerprint of the stored form of the state, and the state itself."""
        return {"shape": self._fingerprint, "data": self._state.encode(state)}

    def restore(self, snapshot: Document) -> A | None:
        """Returns the state, or None if another version of the code wrote the snapshot: then fold the events."""
        if snapshot.get("shape") != self._fingerprint or "data" not in snapshot:
            return None
        state: A = self._state.decode(snapshot["data"])
        return state

    def fold(self, id: str, events: Iterable[Document], onto: A | None = None) -> A:
        """Returns the state after the stored events; the fold begins at `onto`, or at the blank state."""
        state = self.blank(id) if onto is None else onto.fork()
        for document in events:
            state.evolve(self.events.decode(document))
        return state

    def shapes(self) -> Mapping[str, str]:
        """Returns the stored form of every event and of the state, for the golden files."""
        forms = {f"{s.name}.v{s.version}": codec_of(s.kind).shape for s in self.events.shapes}
        return {**forms, "state": self._state.shape}


LONGEST_ID = 200
"""Bytes of an aggregate's id in UTF-8: with its stream's name and its version it fits into an AMQP property."""


def is_safe_id(id: str) -> bool:
    """Returns whether a new aggregate may have this id: not empty, not too long, and without `@` or control characters.

    The `@` divides a stream from its version in the ids of commits and events.
    """
    printable = all(character.isprintable() for character in id)
    return 0 < len(id.encode(errors="surrogatepass")) <= LONGEST_ID and printable and "@" not in id


def event_documents(names: Names, events: Sequence[object]) -> list[dict[str, Any]]:
    """Returns the stored forms of events."""
    return [names.encode(event) for event in events]


def recorded_by(kind: type) -> Sequence[type]:
    """Returns the events that an aggregate can record: the union in its base, `Aggregate[OrderPlaced | …]`."""
    events = _union_of(kind, {})
    members = typing.get_args(events) or (events,)
    return [member for member in members if dataclasses.is_dataclass(member) and isinstance(member, type)]


def _union_of(kind: type, known: Mapping[Any, Any]) -> Any:
    """Returns the argument of `Aggregate[…]`, also through generic bases; `known` has the values of their variables."""
    for base in getattr(kind, "__orig_bases__", kind.__bases__):
        origin, given = typing.get_origin(base) or base, [known.get(one, one) for one in typing.get_args(base)]
        if origin is Aggregate:
            return _evaluated(given[0], kind) if given else None
        if isinstance(origin, type) and issubclass(origin, Aggregate):
            return _union_of(origin, dict(zip(getattr(origin, "__parameters__", ()), given, strict=False)))
    return None


def _evaluated(events: Any, kind: type) -> Any:
    if not isinstance(events, typing.ForwardRef):
        return events
    try:
        return eval(events.__forward_arg__, vars(sys.modules[kind.__module__]))  # noqa: S307 - written in the code
    except Exception as error:
        raise NotStorable(
            f"{kind.__name__} names its events in quotes, and they are not there ({error}): correct Aggregate[…]"
        ) from None
