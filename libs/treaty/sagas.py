"""Sagas: process managers as pure functions, `react(state, fact) → (state, commands)`, on a stream of their own.

A fact is a message, a timer or an event of the own context, translated into a dataclass. Any fact may be the first to
arrive and may arrive late, so `react` is total: it knows an answer for every fact in every state.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from treaty.codec import Shape, codec_of
from treaty.commits import Document
from treaty.deciding import Committed
from treaty.domain import Aggregate
from treaty.effects import Call
from treaty.repository import Repository
from treaty.stored import Stored

S = TypeVar("S")

React = Callable[[S, Any], tuple[S, Sequence[object]]]
"""(state, fact) → (state, commands); a command is a dataclass, or a `Call` with the time at which it is due."""


@dataclass(slots=True, kw_only=True)
class Process(Aggregate[Any], Generic[S]):
    """One run of a saga. Its events are the facts that it was told."""

    state: S
    react: React[S] = field(repr=False, compare=False)

    def tell(self, fact: object) -> list[Call]:
        """Takes a fact and returns what is to be done about it."""
        _, commands = self.react(self.state, fact)
        self.record(fact)
        return [command if isinstance(command, Call) else Call(command) for command in commands]

    def evolve(self, event: Any) -> None:
        self.state, _ = self.react(self.state, event)


class StoredSaga(Stored[Process[S]]):
    """Names a saga and its facts on disk.

    Args:
        stream: the first part of the stream's name.
        initial: the state before the first fact: a frozen dataclass.
        react: the saga.
        facts: the stored name of every fact.
    """

    def __init__(self, stream: str, initial: S, react: React[S], facts: Iterable[Shape]) -> None:
        self._initial, self._react = initial, react
        kind: Any = type(initial)
        super().__init__(stream, Process, facts, state=codec_of(kind))

    def blank(self, id: str) -> Process[S]:
        return Process(id=id, state=self._initial, react=self._react)

    def snapshot(self, state: Process[S]) -> dict[str, Any]:
        return {"shape": self._fingerprint, "id": state.id, "data": self._state.encode(state.state)}

    def restore(self, snapshot: Document) -> Process[S] | None:
        if snapshot.get("shape") != self._fingerprint:
            return None
        return Process(id=snapshot["id"], state=self._state.decode(snapshot["data"]), react=self._react)


@dataclass(frozen=True, slots=True)
class Saga(Generic[S]):
    """The runs of one saga. `key` tells from a fact which run it belongs to."""

    processes: Repository[Process[S]]
    key: Callable[[Any], str]

    async def tell(self, fact: object) -> Committed[Process[S]]:
        """Tells the saga a fact; its commands leave with the same commit."""
        return await self.processes.add(self.key(fact), lambda process: process.tell(fact))
