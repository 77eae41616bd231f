"""How one kind of aggregate is kept: its stream name, the names of its events, and its snapshot."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from treaty.commits.codec import Codec, Names, NotStorable, Shape, codec_of
from treaty.commits.commit import Document
from treaty.domain import Aggregate

A = TypeVar("A", bound=Aggregate[Any])


class Stored(Generic[A]):
    """Names an aggregate and its events on disk.

    Args:
        stream: the first part of every stream name, without a dash; the second is the aggregate's id.
        kind: the aggregate's class; `kind(id=...)` is its blank state, before its first event.
        events: the stored name of every event it can record.
        state: how the state is kept, if not as the class says.
    """

    def __init__(self, stream: str, kind: type[A], events: Iterable[Shape], *, state: Codec | None = None) -> None:
        if "-" in stream:
            raise NotStorable(f"{stream!r} cannot name a stream: the first dash divides the name from the id")
        self.stream = stream
        self.kind = kind
        self.events = Names(events)
        self._state = state or codec_of(cast(Any, kind))
        self._fingerprint = self._state.fingerprint

    def stream_of(self, id: str) -> str:
        return f"{self.stream}-{id}"

    def id_of(self, stream: str) -> str:
        return stream.removeprefix(f"{self.stream}-")

    def owns(self, stream: str) -> bool:
        return stream.startswith(f"{self.stream}-")

    def blank(self, id: str) -> A:
        return self.kind(id=id)

    def snapshot(self, state: A) -> dict[str, Any]:
        """Returns {shape, data}: the state and the fingerprint of the code that wrote it."""
        return {"shape": self._fingerprint, "data": self._state.encode(state)}

    def restore(self, snapshot: Document) -> A | None:
        """Returns the state, or None if another version of the code wrote the snapshot: then fold the events."""
        if snapshot.get("shape") != self._fingerprint:
            return None
        state: A = self._state.decode(snapshot["data"])
        return state

    def fold(self, id: str, events: Iterable[Document], onto: A | None = None) -> A:
        """Returns the state after the stored events."""
        state = self.blank(id) if onto is None else onto.fork()
        for document in events:
            state.evolve(self.events.decode(document))
        return state

    def shapes(self) -> Mapping[str, str]:
        """Returns the stored form of every event and of the state, for the golden files."""
        forms = {f"{s.name}.v{s.version}": codec_of(s.kind).shape for s in self.events.shapes}
        return {**forms, "state": self._state.shape}


def event_documents(names: Names, events: Sequence[object]) -> list[dict[str, Any]]:
    """Returns the stored form of events."""
    return [names.encode(event) for event in events]
