"""Operators of a simulation: processes beside the services, in which a person rebuilds a read model or replays history.

An operator's process can be killed and stopped like any other. The person looks afterwards, and gives up what was left.
"""

from typing import Any

from treaty.messaging.replays import Replay
from treaty.messaging.subscriptions import by_producer
from treaty.operations.rebuild import rebuild
from treaty.operations.replay import Replayer
from treaty.probes import NoProbe
from treaty.service.service import topology_of
from treaty.testing.simulation.cluster import Cluster, Node, SimulatedChance
from treaty.testing.simulation.wire import RemoteBroker, RemoteStores

_PATIENCE = 5.0
"""Virtual seconds that an operator waits for partitions, for the broker, or for a read model."""


class Operator:
    """One process of a person."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.node = cluster.start_operator()
        self._broker: Any = RemoteBroker(cluster.broker, self.node.wires[1])

    def rebuild(self, node: Node) -> None:
        """Begins to rebuild a read model of the node's context."""
        assert node.service is not None
        projection = self._cluster.loop.chance.choice(node.service.read_models)
        work = rebuild(
            projection,
            self._stores(node.context),
            owner=self._cluster.new_id(),
            patience=_PATIENCE,
            lease_seconds=self._cluster.lease_seconds,
        )
        self._begin(work)

    def replay(self, node: Node) -> None:
        """Begins to replay the history of one of the contexts that the node's context subscribes to."""
        assert node.service is not None
        wanted = by_producer(node.service.subscriptions)
        producer = self._cluster.loop.chance.choice(sorted(wanted))
        stores = self._stores(node.context)
        replay = Replay(
            id=self._cluster.new_id(),
            producer=producer,
            types=wanted[producer],
            partitions=self._cluster.partitions,
            reason="a simulation",
            by="an operator",
            at=self.node.clock.now(),
        )
        replayer = Replayer(
            self._stores(producer).log,
            stores.replays,
            stores.leases,
            self._broker,
            topology_of(node.service, self._cluster.partitions),
            chance=SimulatedChance(self._cluster.loop),
            seconds=_PATIENCE,
        )
        self._begin(replayer.run(replay))

    def _stores(self, context: str) -> Any:
        chance = SimulatedChance(self._cluster.loop)
        return RemoteStores(self._cluster.stores[context], self.node.wires[0], chance=chance, probe=NoProbe())

    def _begin(self, work: Any) -> None:
        async def until_it_fails() -> None:
            try:
                await work
            except Exception as error:
                self._cluster.refusals.append(f"{type(error).__name__}: {error}")

        self._cluster.loop.create_task(until_it_fails(), context=self.node.process.context.copy())


async def give_up_what_is_left(cluster: Cluster) -> None:
    """Ends all operators, and abandons the replays that they left open."""
    for operator in cluster.operators:
        cluster.kill(operator)
    for stores in cluster.stores.values():
        for replay in await stores.replays.open():
            await stores.replays.abandon(replay.id)
