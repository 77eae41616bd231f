"""Sagas: process managers as pure functions, `react(state, fact) → (state, commands)`, each run on its own stream.

A fact is a message, a timer or an event of the same context, translated into a dataclass. Any fact may arrive first,
and any may arrive late. So `react` is total: it returns a result for every fact in every state.
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
    """The properties of every saga's state: whether its run has ended, and the reason if it is stuck."""

    @property
    def ended(self) -> bool: ...
    @property
    def stuck(self) -> str: ...


S = TypeVar("S", bound=Progress)

T = TypeVar("T")
React = Callable[[T, Any], tuple[T, Sequence[object]]]
"""A saga's function, (state, fact) → (state, commands).

A command is a dataclass, or a `Call` with the time at which it is due.
"""


@dataclass(slots=True, kw_only=True)
class Run(Aggregate[Any], Generic[S]):
    """One run of a saga. Its events are the facts that it has received."""

    state: S
    react: React[S] = field(repr=False, compare=False)

    def tell(self, fact: object) -> list[Call]:
        """Records a fact, and returns the calls to make because of it."""
        _, commands = self.react(self.state, fact)
        self.record(fact)
        return [command if isinstance(command, Call) else Call(command) for command in commands]

    def evolve(self, event: Any) -> None:
        self.state, _ = self.react(self.state, event)


class StoredSaga(Stored[Run[S]]):
    """Defines the stored form of a saga and its facts.

    Args:
        stream: the first part of the name of every run's stream.
        initial: the state before the first fact: a frozen dataclass.
        react: the saga's function.
        facts: the stored name of every fact.
        resume: makes the fact that lets a stuck run try again, from the run's id and a reason.
        cancel: makes the fact that ends a run by hand, from the run's id and a reason.
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
    """The status of a run in the read model of its saga."""

    RUNNING = "running"
    STUCK = "stuck"
    ENDED = "ended"


class SagaRun(Protocol):
    """One run in the read model of a saga; `why` is the reason if it is stuck."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> RunStatus: ...
    @property
    def why(self) -> str: ...


@cache
def runs_of(stored: StoredSaga[S]) -> Projection[Any]:
    """Returns the read model of a saga's runs. A row has the state too, because the next state is computed from it."""
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
    """The runs of one saga. `key` returns the id of the run that a fact belongs to; `runs` is their read model."""

    stored: StoredSaga[S]
    repository: Repository[Run[S]]
    key: Callable[[Any], str]
    runs: Projection[Any]
    probe: Probe = field(default_factory=NoProbe)

    @property
    def facts(self) -> Sequence[type]:
        """The types of the saga's facts; the toolkit routes a call with one of them to this saga."""
        return [shape.kind for shape in self.stored.events.shapes]

    async def tell(self, fact: object) -> Committed[Run[S]]:
        """Sends the saga a fact; the resulting commands are in the same commit."""
        self.probe.reach("saga.telling")
        told = await self.repository.add(self.key(fact), lambda run: run.tell(fact))
        self.probe.reach("saga.told")
        return told
