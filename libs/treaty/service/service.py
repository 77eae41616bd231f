"""The service: the declaration of a context. The context's `build(ports)` returns it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from treaty.commits.codec import Names
from treaty.commits.feed import Feed
from treaty.commits.watch import Watch
from treaty.followers.calls import Handler
from treaty.messaging.broker import Topology
from treaty.messaging.subscriptions import Subscription, by_producer
from treaty.projections.projection import Projection
from treaty.rpc.api import Api
from treaty.rpc.peers import Peer
from treaty.sagas import Saga
from treaty.service.context_map import Relation, check
from treaty.web.webhooks import Webhook
from treaty.wiring import WiringError, shape_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One bounded context, ready to run.

    Attributes:
        name: `<domain>.<context>`.
        api: its gRPC service.
        publishes: the protobuf classes of its integration events.
        subscriptions: the integration events of other contexts that it handles.
        commands: the stored names of the calls that its commits may make.
        calls: {type of a command: the use case that carries it out}; a saga's facts go to that saga.
        projections: its read models.
        sagas: its process managers, for the operators' commands.
        peers: the contexts that it calls over gRPC.
        webhooks: the HTTP endpoints that other systems call.
        watches: its watches and feeds, which stream changes to clients.
        relations: its relations to the contexts it subscribes to or calls, and to external systems.
        sealed: whether its commits are sealed, so that a change of its history shows.
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
    watches: Sequence[Watch[Any] | Feed[Any]] = ()
    relations: Sequence[Relation] = ()
    sealed: bool = False
    resources: Sequence[AbstractAsyncContextManager[Any]] = ()

    def __post_init__(self) -> None:
        self._check_calls()
        self._check_names()
        names = [(subscription.type, subscription.name) for subscription in self.subscriptions]
        for type, name in names:
            if names.count((type, name)) > 1:
                raise WiringError(
                    f"{self.name} subscribes to {type} twice under the name {name}: "
                    'give one of them another name, such as on(…, name="Second") in service.py'
                )
        asked = {peer.context for peer in self.peers}
        check(self.name, self.relations, heard=by_producer(self.subscriptions), called=asked)

    def _check_calls(self) -> None:
        """Checks that every command has a stored name and one handler."""
        named = {shape.kind for shape in self.commands.shapes}
        facts = {kind: saga.stored.stream for saga in self.sagas for kind in saga.facts}
        for kind in self.calls:
            if kind in facts:
                raise WiringError(
                    f"{self.name}: {kind.__name__} is a fact of the saga {facts[kind]}, which receives it: "
                    f"remove {kind.__name__} from `calls` in service.py"
                )
            if kind not in named:
                raise WiringError(
                    f"{self.name}: the command {kind.__name__} has no stored name: "
                    f"add {shape_of(kind)} to the commands in storage.py"
                )
        for kind in named - self.handlers.keys():
            raise WiringError(
                f"{self.name}: no handler carries out the command {kind.__name__}: "
                f"add `{kind.__name__}: <its use case>` to `calls` in service.py"
            )

    def _check_names(self) -> None:
        """Checks that published events are protobuf messages, and that read models and facts are told apart."""
        for event in self.publishes:
            if not hasattr(event, "DESCRIPTOR"):
                raise WiringError(
                    f"{self.name}: {event!r} is no protobuf message: remove it from `publishes` in service.py"
                )
        facts = [kind.__name__ for saga in self.sagas for kind in saga.facts]
        for fact in sorted(name for name in set(facts) if facts.count(name) > 1):
            raise WiringError(
                f"{self.name}: several sagas have the fact {fact}, and a fact goes to one: "
                "give each saga a fact of its own in storage.py"
            )
        models = [model.name for model in self.read_models]
        for model in sorted(name for name in set(models) if models.count(name) > 1):
            raise WiringError(
                f"{self.name}: several read models are called {model}, and would share their rows: "
                "give one of them another name in storage.py"
            )

    @property
    def handlers(self) -> Mapping[type, Handler]:
        """The handler of every command: a saga for its own facts, a use case for the others."""
        return {**{kind: saga.tell for saga in self.sagas for kind in saga.facts}, **self.calls}

    @property
    def read_models(self) -> Sequence[Projection[Any]]:
        """Its projections, and the runs of its sagas."""
        return [*self.projections, *(saga.runs for saga in self.sagas)]


def topology_of(service: Service, partitions: int) -> Topology:
    """Returns the topology of a service at the broker."""
    return Topology(
        context=service.name,
        publishes=[_full_name(event) for event in service.publishes],
        subscribes=by_producer(service.subscriptions),
        partitions=partitions,
    )


def _full_name(event: Any) -> str:
    name: str = event.DESCRIPTOR.full_name
    return name
