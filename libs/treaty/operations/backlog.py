"""The backlog of a context: work left in its outbox, calls, queues, quarantine and read models."""

from collections.abc import Sequence
from dataclasses import dataclass

from treaty.commits.holes import holes
from treaty.commits.log import Place
from treaty.messaging.broker import Broker
from treaty.projections.projector import follower_of
from treaty.service.service import Service, topology_of
from treaty.service.stores import Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The numbers of items left to do.

    Attributes:
        outbox: integration events that are committed, but not yet confirmed by the broker.
        calls: committed calls that are not made yet, and calls that wait for another try; timers are not counted.
        queued: messages in the partitions of the inbox.
        quarantined: messages in quarantine.
        projecting: commits that a read model has not applied yet.
        held: streams with an open hole, or that a follower has not taken again since their hole was closed.
    """

    outbox: int
    calls: int
    queued: int
    quarantined: int
    projecting: int
    held: int

    @property
    def total(self) -> int:
        return self.outbox + self.calls + self.queued + self.quarantined + self.projecting + self.held

    @property
    def empty(self) -> bool:
        return not self.total


async def backlog(service: Service, stores: Stores, broker: Broker, partitions: int) -> Backlog:
    """Returns the work left in a context; it reads the stores and the broker from outside the context's processes."""
    places = await stores.checkpoints.load()
    topology = topology_of(service, partitions)
    views = [follower_of(p, await stores.rows(p).generation()) for p in service.read_models]
    lanes = await stores.pending.lanes()
    relayed = await stores.log.behind(places.get("relay", Place()))
    called = await stores.log.behind(places.get("calls", Place()))
    projected = [await stores.log.behind(places.get(name, Place())) for name in views]
    parked_events = sum(lane.startswith("events of ") for lane in lanes)
    return Backlog(
        outbox=relayed.events + parked_events,
        calls=called.calls + sum(lane.startswith("calls of ") for lane in lanes),
        queued=await broker.queued(topology) if topology.subscribes else 0,
        quarantined=(await stores.quarantine.waiting()).count,
        projecting=sum(behind.commits for behind in projected),
        held=await _held(stores, [places.get(name, Place()) for name in ("relay", "calls", *views)]),
    )


async def _held(stores: Stores, places: Sequence[Place]) -> int:
    first = min(place.position for place in places)
    return sum(bool(hole.stream) and (hole.is_open or hole.closed > first) for hole in await holes(stores.log))
