"""A service, declared: what `build(ports)` of a context returns, and the ports it is built from."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from treaty.commits.codec import Names
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


def topology_of(service: Service, partitions: int) -> Topology:
    """Returns what a service has at the broker."""
    return Topology(
        context=service.name,
        publishes=[_full_name(event) for event in service.publishes],
        subscribes=by_producer(service.subscriptions),
        partitions=partitions,
    )


def _full_name(event: Any) -> str:
    name: str = event.DESCRIPTOR.full_name
    return name
