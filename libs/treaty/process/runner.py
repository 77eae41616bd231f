"""Runs the background work of one context: its followers and its consumers, each under a lease."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

import structlog

from treaty.chance import retrying
from treaty.concurrency.guarded import guarded
from treaty.concurrency.tasks import ended
from treaty.dependencies import Breakers
from treaty.followers.leases import Lease, LeaseKeeper, LeaseTaken
from treaty.messaging.broker import Broker, BrokerAway, BrokerRefused, MayDrop, Topology
from treaty.messaging.consumer import PartitionConsumer
from treaty.messaging.tries import Patience
from treaty.probes import holding
from treaty.process.duties import Duties
from treaty.seals.sealer import Sealing
from treaty.service.service import Service, topology_of
from treaty.service.stores import Stores
from treaty.settings import Role
from treaty.surroundings import Surroundings

logger = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Runner:
    """The background work of one context, behind its API.

    Several processes may run the same context. A lease in its store decides which process runs the followers, and one
    lease for each partition decides which process consumes it. A process with a role takes part in one of these only.
    `place` is the name of this process on its leases.
    """

    service: Service
    stores: Stores
    broker: Broker
    surroundings: Surroundings
    role: Role = "all"
    place: str = ""
    environment: str = "dev"
    partitions: int = 4
    lease_seconds: float = 5.0
    drain_seconds: float = 10.0
    verify_seconds: float = 10.0
    inbox_wait_seconds: float = 600.0
    idle_save_seconds: float = 60.0
    patience: Patience = field(default_factory=Patience)
    sealing: Sealing = field(default_factory=Sealing)
    refused_seconds: float = 30.0
    ready: bool = False
    _why: str = "its topology is not declared yet"
    _refused_at: float | None = None
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    _consumers: dict[int, PartitionConsumer] = field(default_factory=dict)
    _stopping: bool = False
    _owner: str = ""
    _owners: dict[str, str] = field(default_factory=dict)
    _keeper: LeaseKeeper = field(init=False)
    _breakers: Breakers = field(init=False)
    _duties: Duties = field(init=False)
    _resources: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    def __post_init__(self) -> None:
        self._keeper = LeaseKeeper(self.stores.leases, self.lease_seconds)
        self._breakers = Breakers(self.surroundings)
        self._duties = Duties(
            service=self.service,
            stores=self.stores,
            broker=self.broker,
            surroundings=self.surroundings,
            breakers=self._breakers,
            environment=self.environment,
            partitions=self.partitions,
            inbox_wait_seconds=self.inbox_wait_seconds,
            idle_save_seconds=self.idle_save_seconds,
            patience=self.patience,
            sealing=self.sealing,
        )

    @property
    def topology(self) -> Topology:
        return topology_of(self.service, self.partitions)

    async def start(self) -> None:
        """Prepares the store and starts the background work; the broker need not be reachable yet."""
        self._owner = f"{self.place}/{self.surroundings.ids.new()[:8]}" if self.place else self.surroundings.ids.new()
        await self.stores.prepare(self.service.read_models)
        for resource in [*self.service.resources, *self.service.peers]:
            await self._resources.enter_async_context(resource)
        self._tasks = [asyncio.create_task(self._declare_and_consume())]
        if self.role in ("all", "followers"):
            self._tasks.append(asyncio.create_task(self._hold("followers", Duties.follow)))

    async def end_watching(self) -> None:
        """Ends the streams of changes, which would otherwise delay the drain."""
        await asyncio.gather(*(watch.close() for watch in self.service.watches))

    async def stop(self, *, within: float | None = None) -> None:
        """Finishes the started work and releases the leases. Work that takes too long is cut off and repeated later.

        Args:
            within: seconds for the started work, if fewer than `drain_seconds`.
        """
        self._stopping = True
        self.ready = False
        for consumer in self._consumers.values():
            consumer.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.drain_seconds if within is None else within):
                await asyncio.gather(*(consumer.ended.wait() for consumer in self._consumers.values()))
        await ended(self._tasks)
        await self._release_leases()
        await self._resources.aclose()

    async def _release_leases(self) -> None:
        """Releases every lease that this process may still hold, so that another process continues at once."""
        releases = [self.stores.leases.release(name, owner) for name, owner in self._owners.items()]
        await asyncio.gather(*releases, return_exceptions=True)

    async def check(self) -> None:
        """Checks that the context can work now: that it can commit, and that its topology is declared.

        Raises:
            StoreAway: if it cannot commit.
            RuntimeError: if its topology is not declared, or the broker has refused this process for long.
        """
        await self.stores.ping()
        if not self.ready:
            raise RuntimeError(self._why)

    async def _declare_and_consume(self) -> None:
        async for _ in retrying(self.surroundings.chance, first=0.4, most=5.0):
            if await self._declare():
                break
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_declared())
            consumes = self.service.subscriptions and self.role in ("all", "consumers")
            for partition in range(self.partitions if consumes else 0):
                group.create_task(self._hold(f"p{partition}", partial(self._consume, partition)))

    async def _keep_declared(self) -> None:
        """Declares the topology again regularly: this checks it, and restores it at a broker that has lost it."""
        while True:
            await asyncio.sleep(self.surroundings.chance.jitter(self.verify_seconds))
            await self._declare()
            self._breakers.settle()

    async def _declare(self) -> bool:
        """Declares the topology; returns whether messages can be consumed.

        A topology that differs makes the context not ready. A policy that may drop messages does so too, but the queues
        are consumed all the same: what nobody reads is dropped first. A broker that is away does not: commands are
        committed all the same, and their events are published when it is back. A broker that refuses this process
        counts as away at first, because its password may be changing; after `refused_seconds` it makes the context not
        ready.
        """
        try:
            await guarded(self.broker.declare(self.topology))
        except BrokerAway as error:
            logger.warning("the topology cannot be declared now", context=self.service.name, error=str(error))
            self._note_refusal(error)
        except Exception as error:
            self.ready, self._why = False, f"the topology is not as declared: {error}"
            logger.warning("the topology is not as declared", context=self.service.name, error=str(error))
            return isinstance(error, MayDrop)
        else:
            self.ready, self._refused_at = not self._stopping, None
        return self.ready

    def _note_refusal(self, error: BrokerAway) -> None:
        """Makes the context not ready if the broker has refused this process for long."""
        now = asyncio.get_running_loop().time()
        if not isinstance(error, BrokerRefused):
            self._refused_at = None
        elif self._refused_at is None:
            self._refused_at = now
        elif now - self._refused_at >= self.refused_seconds:
            self.ready, self._why = False, f"the broker refuses this process: {error}"

    async def _consume(self, partition: int, duties: Duties, lease: Lease) -> None:
        consumer = self._consumers[partition] = duties.consumer(partition, lease)
        try:
            await consumer.run()
        finally:
            self._consumers.pop(partition, None)

    async def _hold(self, name: str, work: Callable[[Duties, Lease], Awaitable[None]]) -> None:
        """Runs the work whenever this process holds the lease, until the runner stops.

        The gauges of a holding are withdrawn at its end, because the next holder has its own.
        """
        for number in count(1):
            if self._stopping:
                return
            self._owners[name] = owner = f"{self._owner}#{number}"
            try:
                with holding(self.surroundings.probe) as probe:
                    duties = replace(self._duties, surroundings=replace(self.surroundings, probe=probe))
                    await guarded(self._keeper.hold(name, owner, partial(work, duties)))
            except LeaseTaken:
                pass
            except Exception:
                logger.exception("starting again", context=self.service.name, lease=name)
            if not self._stopping:
                await asyncio.sleep(self.surroundings.chance.jitter(self.lease_seconds / 5))
