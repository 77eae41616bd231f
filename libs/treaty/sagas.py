"""Sagas: process managers as pure functions, `react(state, fact) → (state, commands)`, on a stream of their own.

A fact is a message, a timer or an event of the own context, translated into a dataclass. Any fact may be the first to
arrive and may arrive late, so `react` is total: it knows an answer for every fact in every state.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, make_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Generic, Protocol, TypeVar

from treaty.commits.codec import Shape, codec_of
from treaty.commits.commit import Committed, Document
from treaty.commits.repository import Repository
from treaty.commits.stored import Stored
from treaty.domain import Aggregate, Call
from treaty.probes import NoProbe, Probe
from treaty.projections.projection import Projection


class Progress(Protocol):
    """What every state of a saga tells: whether its run has ended, and why it is stuck, if it is."""

    @property
    def ended(self) -> bool: ...
    @property
    def stuck(self) -> str: ...


S = TypeVar("S", bound=Progress)

T = TypeVar("T")
React = Callable[[T, Any], tuple[T, Sequence[object]]]
"""(state, fact) → (state, commands); a command is a dataclass, or a `Call` with the time at which it is due."""


@dataclass(slots=True, kw_only=True)
class Run(Aggregate[Any], Generic[S]):
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


class StoredSaga(Stored[Run[S]]):
    """Names a saga and its facts on disk.

    Args:
        stream: the first part of the stream's name.
        initial: the state before the first fact: a frozen dataclass.
        react: the saga.
        facts: the stored name of every fact.
        resume: makes the fact that lets a stuck run try again, of the run's id and a reason.
        cancel: makes the fact that ends a run by hand.
    """

    def __init__(
        self,
        stream: str,
        initial: S,
        react: React[S],
        facts: Iterable[Shape],
        *,
        resume: Callable[[str, str], object] | None = None,
        cancel: Callable[[str, str], object] | None = None,
    ) -> None:
        self._initial, self._react = initial, react
        self.resume, self.cancel = resume, cancel
        kind: Any = type(initial)
        super().__init__(stream, Run, facts, state=codec_of(kind))

    def blank(self, id: str) -> Run[S]:
        return Run(id=id, state=self._initial, react=self._react)

    @property
    def state_kind(self) -> type:
        return type(self._initial)

    def after(self, state: S, fact: object) -> S:
        """Returns the state after a fact."""
        return self._react(state, fact)[0]

    def snapshot(self, state: Run[S]) -> dict[str, Any]:
        return {"shape": self._fingerprint, "id": state.id, "data": self._state.encode(state.state)}

    def restore(self, snapshot: Document) -> Run[S] | None:
        if snapshot.get("shape") != self._fingerprint:
            return None
        return Run(id=snapshot["id"], state=self._state.decode(snapshot["data"]), react=self._react)


class RunStatus(StrEnum):
    RUNNING = "running"
    STUCK = "stuck"
    ENDED = "ended"


class SagaRun(Protocol):
    """One run in the read model of a saga; `why` says what a stuck one is stuck with."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> RunStatus: ...
    @property
    def why(self) -> str: ...


@cache
def runs_of(stored: StoredSaga[S]) -> Projection[Any]:
    """Returns the read model of a saga's runs. A row holds the state too, because the next one follows from it."""
    fields = [("id", str), ("status", RunStatus), ("why", str), ("state", stored.state_kind)]
    run: Any = make_dataclass("SagaRun", fields, frozen=True, kw_only=True)

    def project(id: str, row: Any, fact: object) -> Any:
        state = stored.after(stored.blank(id).state if row is None else row.state, fact)
        status = RunStatus.ENDED if state.ended else RunStatus.STUCK if state.stuck else RunStatus.RUNNING
        return run(id=id, status=status, why=state.stuck, state=state)

    name = f"runs_{stored.stream.replace('-', '_')}"
    return Projection(name=name, source=stored, row=run, project=project, order_by="id", filters=("status",))


@dataclass(frozen=True, slots=True)
class Saga(Generic[S]):
    """The runs of one saga. `key` tells from a fact which run it belongs to; `runs` is their read model."""

    stored: StoredSaga[S]
    repository: Repository[Run[S]]
    key: Callable[[Any], str]
    runs: Projection[Any]
    probe: Probe = field(default_factory=NoProbe)

    @property
    def facts(self) -> Sequence[type]:
        """The types of its facts; the toolkit routes a call with one of them to this saga."""
        return [shape.kind for shape in self.stored.events.shapes]

    async def tell(self, fact: object) -> Committed[Run[S]]:
        """Tells the saga a fact; its commands leave with the same commit."""
        self.probe.reach("saga.telling")
        told = await self.repository.add(self.key(fact), lambda run: run.tell(fact))
        self.probe.reach("saga.told")
        return told
