"""The ports of a context: everything that it is built from."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from treaty.clock import Clock
from treaty.commits.codec import Names
from treaty.commits.feed import Feed
from treaty.commits.repository import Limits, Repository
from treaty.commits.stored import Stored
from treaty.commits.watch import Watch
from treaty.contents import Contents
from treaty.domain import Aggregate, Policy
from treaty.personal_data import PersonalData
from treaty.projections.projection import Projection
from treaty.projections.view import View
from treaty.rpc.peers import Peer
from treaty.sagas import Progress, Run, Saga, StoredSaga, runs_of
from treaty.service.stores import Stores
from treaty.settings import Settings, read_settings
from treaty.surroundings import Surroundings
from treaty.wiring import WiringError

A = TypeVar("A", bound=Aggregate[Any])
S = TypeVar("S", bound=Progress)
R = TypeVar("R")
T = TypeVar("T", bound=Settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything that a context is built from; it has no other access to the outside.

    Attributes:
        address: returns the address of another context.
        connect: returns another context if it is not called over gRPC, such as in a simulation.
        policies: the policies of all its repositories; their events are compared with the published ones.
        commands: the commands of all its repositories; the service must carry them out.
    """

    stores: Stores
    surroundings: Surroundings
    environ: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    address: Callable[[str], str] = lambda context: context
    connect: Callable[[str], Peer] | None = None
    policies: list[Policy] = field(default_factory=list, init=False)
    commands: list[type] = field(default_factory=list, init=False)

    @property
    def clock(self) -> Clock:
        """The wall clock."""
        return self.surroundings.clock

    @property
    def personal_data(self) -> PersonalData:
        """The store for personal data, beside the log."""
        return self.stores.personal_data

    @property
    def contents(self) -> Contents:
        """The store for large binary objects, beside the log."""
        return self.stores.contents

    def repository(
        self, stored: Stored[A], *, policies: Iterable[Policy] = (), commands: Names | None = None
    ) -> Repository[A]:
        """Returns the repository of one kind of aggregate, and records its policies and commands."""
        if callable(policies):
            raise WiringError(f"the repository of {stored.stream} needs a list of policies: write policies=[…]")
        policies = tuple(policies)
        self.policies.extend(policies)
        self.commands.extend(shape.kind for shape in (commands or Names(())).shapes)
        return Repository(
            self.stores.log,
            stored,
            surroundings=self.surroundings,
            policies=policies,
            commands=commands,
            limits=self.limits,
        )

    def saga(self, stored: StoredSaga[S], *, key: Callable[[Any], str], commands: Names) -> Saga[S]:
        """Returns a saga; `key` returns the id of the run that a fact belongs to."""
        runs: Repository[Run[S]] = self.repository(stored, commands=commands)
        return Saga(stored, runs, key, runs_of(stored), self.surroundings.probe)

    def view(self, projection: Projection[R]) -> View[R]:
        """Returns the view of a projection, for queries."""
        return View(projection, self.stores.rows(projection))

    def watch(self, stored: Stored[A]) -> Watch[A]:
        """Returns a watch over the aggregates of one kind."""
        return Watch(self.stores.log, stored)

    def feed(self, stored: Stored[A]) -> Feed[A]:
        """Returns the feed of the aggregates of one kind."""
        return Feed(self.stores.log, stored)

    def peer(self, context: str) -> Peer:
        """Returns another context, to be called over gRPC."""
        if self.connect is not None:
            return self.connect(context)
        return Peer(context, self.address, self.surroundings.probe)

    def settings(self, model: type[T]) -> T:
        """Reads the context's own settings."""
        return read_settings(model, self.environ)
