"""The work under a lease: consuming a partition of the inbox, or following the log."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from treaty.commits.log import StoreAway
from treaty.concurrency.tasks import until_one_ends
from treaty.dependencies import Breakers
from treaty.followers.calls import Caller
from treaty.followers.followers import Following
from treaty.followers.inbox import InboxReader, note_mark
from treaty.followers.leases import Lease
from treaty.followers.pending import Item
from treaty.followers.pending_work import PendingWork
from treaty.followers.relay import Relay
from treaty.followers.track import Follower
from treaty.messaging.broker import Broker, Topology
from treaty.messaging.consumer import PartitionConsumer
from treaty.messaging.dispatcher import Dispatcher
from treaty.messaging.tries import Patience
from treaty.operations.gauges import Gauges
from treaty.projections.projection import Projection
from treaty.projections.projector import Projector
from treaty.projections.rows import Superseded
from treaty.seals.sealer import Sealing
from treaty.service.service import Service, topology_of
from treaty.service.stores import Stores
from treaty.surroundings import Surroundings

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """The work under one lease. The arguments are those of the runner."""

    service: Service
    stores: Stores
    broker: Broker
    surroundings: Surroundings
    breakers: Breakers
    environment: str
    partitions: int
    inbox_wait_seconds: float
    idle_save_seconds: float
    patience: Patience
    sealing: Sealing

    @property
    def topology(self) -> Topology:
        return topology_of(self.service, self.partitions)

    def consumer(self, partition: int, lease: Lease) -> PartitionConsumer:
        """Returns the consumer of a partition."""
        return PartitionConsumer(
            self.topology,
            partition,
            self.broker,
            Dispatcher(self.service.subscriptions, self.topology.queue(partition), self.surroundings.probe),
            self.stores.quarantine,
            self.stores.replays,
            note_mark=partial(note_mark, self.stores.checkpoints, partition),
            sure=lease.sure,
            surroundings=self.surroundings,
            patience=self.patience,
            breakers=self.breakers,
        )

    async def follow(self, lease: Lease) -> None:
        """Runs the followers until it is cancelled; marks of the inbox are numbered on as long as the lease is held."""
        inbox = InboxReader(
            topology=self.topology,
            broker=self.broker,
            checkpoints=self.stores.checkpoints,
            epoch=lease.epoch,
            surroundings=self.surroundings,
            longest=self.inbox_wait_seconds,
        )
        tasks = [asyncio.create_task(inbox.run()), asyncio.create_task(self._follow_generations(lease, inbox))]
        if self.service.sealed:
            sealer = self.sealing.sealer(self.service.name, self.stores.seals, self.surroundings)
            tasks.append(asyncio.create_task(sealer.run()))
        await until_one_ends(*tasks)

    async def _follow_generations(self, lease: Lease, inbox: InboxReader) -> None:
        """Runs the followers; starts them again when a read model has a new generation."""
        superseded = True
        while superseded:
            superseded = False
            try:
                await self._follow_generation(lease, inbox)
            except Superseded:
                logger.info("a read model was rebuilt; the followers go on with the new one", context=self.service.name)
                superseded = True

    async def _projector(self, projection: Projection[Any]) -> Projector:
        rows = self.stores.rows(projection)
        return Projector(projection, rows, await rows.generation(), self.surroundings.probe)

    async def _follow_generation(self, lease: Lease, inbox: InboxReader) -> None:
        runs: dict[str, Callable[[Item], Awaitable[None]]] = {}
        pending = PendingWork(
            self.stores.pending,
            lambda item: runs[item.kind](item),
            surroundings=self.surroundings,
            sure=lease.sure,
            read_inbox=inbox.read,
            look_every=5 * self.patience.look_every,
            run_seconds=self.patience.handler_seconds,
            breakers=self.breakers,
        )
        relay = Relay(
            self.topology,
            self.broker,
            pending,
            self.stores.checkpoints,
            environment=self.environment,
            surroundings=self.surroundings,
        )
        caller = Caller(
            self.service.commands,
            self.service.handlers,
            pending,
            probe=self.surroundings.probe,
            seconds=self.patience.handler_seconds,
        )
        runs.update(publish=relay.run_item, call=caller.run_item)
        projectors = [await self._projector(projection) for projection in self.service.read_models]
        followers: list[Follower] = [relay, caller, *projectors]
        following = Following(
            log=self.stores.log,
            checkpoints=self.stores.checkpoints,
            followers=followers,
            surroundings=self.surroundings,
            idle_save_every=self.idle_save_seconds,
            sure=lease.sure,
        )
        gauges = Gauges(
            service=self.service,
            stores=self.stores,
            followers=[follower.name for follower in followers],
            surroundings=self.surroundings,
        )
        await pending.load()
        await relay.load()
        await until_one_ends(
            asyncio.create_task(gauges.run()),
            asyncio.create_task(pending.work()),
            asyncio.create_task(following.run(lease.epoch)),
            asyncio.create_task(self._watch_generations(projectors)),
        )

    async def _watch_generations(self, projectors: Sequence[Projector]) -> None:
        """Looks regularly whether a read model was rebuilt.

        Raises:
            Superseded: if one was. Commits that came just before may be missing in the new generation.
        """
        while True:
            await asyncio.sleep(10 * self.patience.look_every)
            for projector in projectors:
                with contextlib.suppress(StoreAway):
                    await projector.check()
