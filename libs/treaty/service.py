"""A service, declared: what `build(ports)` of a context returns, and the ports it is built from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from treaty.calls import Handler
from treaty.codec import Names
from treaty.commits import CommitLog
from treaty.domain import Aggregate
from treaty.effects import Policy
from treaty.followers import Checkpoints, Leases
from treaty.pending import Pending
from treaty.ports import Chance, Clock, Ids
from treaty.private import Private
from treaty.probes import Probe
from treaty.projections import Projection, Rows, View
from treaty.quarantine import Quarantine
from treaty.relations import Relation, check
from treaty.replays import Replays
from treaty.repository import Limits, Repository
from treaty.rpc.peers import Peer
from treaty.sagas import Process, Progress, Saga, StoredSaga, runs_of
from treaty.settings import Settings, read_settings
from treaty.stored import Stored
from treaty.subscriptions import Subscription, by_producer
from treaty.watching import Watch
from treaty.webhooks import Webhook

A = TypeVar("A", bound=Aggregate[Any])
S = TypeVar("S", bound=Progress)
R = TypeVar("R")
T = TypeVar("T", bound=Settings)


class Stores(Protocol):
    """Everything one context keeps, in one database of its own."""

    @property
    def log(self) -> CommitLog: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def checkpoints(self) -> Checkpoints: ...
    @property
    def pending(self) -> Pending: ...
    @property
    def quarantine(self) -> Quarantine: ...
    @property
    def replays(self) -> Replays: ...
    @property
    def private(self) -> Private: ...

    def rows(self, projection: Projection[Any]) -> Rows: ...

    async def prepare(self, projections: Sequence[Projection[Any]]) -> None:
        """Makes indexes and whatever else must be there before the first commit."""
        ...

    async def ping(self) -> None:
        """Raises if commands could not commit now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a context is built from; it sees no more of the world than this.

    `address` tells where another context answers.
    """

    stores: Stores
    clock: Clock
    ids: Ids
    chance: Chance
    probe: Probe
    environ: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    address: Callable[[str], str] = lambda context: context

    @property
    def private(self) -> Private:
        """Where personal data is kept, beside the log."""
        return self.stores.private

    def repository(
        self, stored: Stored[A], *, policies: Iterable[Policy] = (), commands: Names | None = None
    ) -> Repository[A]:
        """Returns the repository of one kind of aggregate."""
        return Repository(
            self.stores.log,
            stored,
            clock=self.clock,
            ids=self.ids,
            chance=self.chance,
            probe=self.probe,
            policies=policies,
            commands=commands,
            limits=self.limits,
        )

    def saga(self, stored: StoredSaga[S], *, key: Callable[[Any], str], commands: Names) -> Saga[S]:
        """Returns a saga; `key` tells from a fact which run it belongs to."""
        processes: Repository[Process[S]] = self.repository(stored, commands=commands)
        return Saga(stored, processes, key, runs_of(stored), self.probe)

    def view(self, projection: Projection[R]) -> View[R]:
        """Returns what queries see of a projection."""
        return View(projection, self.stores.rows(projection))

    def watch(self, stored: Stored[A]) -> Watch[A]:
        """Returns what watches the aggregates of one kind."""
        return Watch(self.stores.log, stored)

    def peer(self, context: str) -> Peer:
        """Returns another context, to be asked over gRPC."""
        return Peer(context, self.address, self.probe)

    def settings(self, model: type[T]) -> T:
        """Reads the context's own settings."""
        return read_settings(model, self.environ)


@dataclass(frozen=True, slots=True)
class Api:
    """A gRPC service: the generated `add_…Servicer_to_server`, the servicer, and its full name."""

    add: Callable[[Any, Any], None]
    servicer: Any
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One bounded context, ready to run.

    Attributes:
        name: `<domain>.<context>`.
        api: what clients may ask.
        publishes: the protobuf classes of its integration events.
        subscriptions: the integration events of others that it takes.
        commands: the stored names of the calls that its commits may ask for.
        calls: who carries out a call, by the command's type.
        projections: its read models.
        sagas: its process managers, so that people can look after them.
        peers: the contexts that it asks over gRPC.
        webhooks: what other systems call.
        watches: what streams changes to clients.
        relations: how it stands to the contexts it hears or asks, and to systems of others.
        resources: clients of other systems, opened before the first call and closed after the last.
    """

    name: str
    api: Api
    publishes: Sequence[type] = ()
    subscriptions: Sequence[Subscription] = ()
    commands: Names = field(default_factory=lambda: Names(()))
    calls: Mapping[type, Handler] = field(default_factory=dict)
    projections: Sequence[Projection[Any]] = ()
    sagas: Sequence[Saga[Any]] = ()
    peers: Sequence[Peer] = ()
    webhooks: Sequence[Webhook] = ()
    watches: Sequence[Watch[Any]] = ()
    relations: Sequence[Relation] = ()
    resources: Sequence[AbstractAsyncContextManager[Any]] = ()

    def __post_init__(self) -> None:
        unhandled = {shape.kind.__name__ for shape in self.commands.shapes if shape.kind not in self.calls}
        if unhandled:
            raise ValueError(f"{self.name}: nobody carries out {', '.join(sorted(unhandled))}")
        names = [(subscription.type, subscription.name) for subscription in self.subscriptions]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: two subscriptions to one event need different names")
        asked = {peer.context for peer in self.peers}
        check(self.name, self.relations, heard=by_producer(self.subscriptions), called=asked)

    @property
    def read_models(self) -> Sequence[Projection[Any]]:
        """Its projections, and the runs of its sagas."""
        return [*self.projections, *(saga.runs for saga in self.sagas)]
