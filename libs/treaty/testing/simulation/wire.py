"""The wire of a simulated process: the ports of its servers, through a network that delays, loses and repeats."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from treaty.chance import Chance
from treaty.commits.commit import Commit
from treaty.commits.group_commit import GroupCommitLog
from treaty.commits.log import Batch, Place, StoreAway
from treaty.commits.store import CommitStore, Inserted, OutcomeUnknown
from treaty.memory.broker import MemoryBroker
from treaty.memory.stores import MemoryStores
from treaty.messaging.broker import BrokerAway, Delivery, Topology
from treaty.messaging.envelope import Envelope
from treaty.messaging.quarantine import Held
from treaty.probes import Probe
from treaty.projections.projection import Projection
from treaty.seals.seal import Leaf, Position, Seal
from treaty.surroundings import Surroundings
from treaty.testing.simulation.faults import NONE, Fate, Rates
from treaty.testing.simulation.loop import Process, SimulatedLoop


@dataclass(slots=True)
class Wire:
    """The network of one process. While `cut`, no request gets through."""

    loop: SimulatedLoop
    process: Process
    servers: Process
    rates: Rates = NONE
    cut: bool = False
    away: Callable[[str], Exception] = StoreAway

    async def ask(self, request: Callable[[], Awaitable[Any]]) -> Any:
        """Sends a request to a server, and returns its answer; raises `away` if the fault is an unreachable server."""
        fate = Fate.LOST if self.cut else self.rates.draw(self.loop.chance)
        await self.travel()
        if fate is Fate.LATE:
            self._later(request)
        if fate in (Fate.LOST, Fate.LATE):
            raise self.away(fate.value)
        answer = await request()
        await self.travel()
        if fate is Fate.UNANSWERED or self.cut:
            raise self.away(Fate.UNANSWERED.value)
        return answer

    async def travel(self) -> None:
        await asyncio.sleep(self.rates.latency * self.loop.chance.uniform(0.1, 1.0))

    def _later(self, request: Callable[[], Awaitable[Any]]) -> None:
        """Carries out a request after its sender gave up; it runs on the server, so it survives the sender."""

        async def carried_out() -> None:
            await asyncio.sleep(self.loop.chance.uniform(0.0, self.rates.delay))
            with contextlib.suppress(Exception):
                await request()

        self.loop.create_task(carried_out(), context=self.servers.context.copy())


class Remote:
    """A port of a server in memory, reached over a wire: every awaited method may fail."""

    def __init__(self, target: Any, wire: Wire) -> None:
        self._target, self._wire = target, wire

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)

        async def ask(*args: Any, **known: Any) -> Any:
            return await self._wire.ask(partial(method, *args, **known))

        return ask


class RemoteQuarantine(Remote):
    """A quarantine, reached over a wire."""

    async def held(self, partition: int, *, key: str | None = None) -> AsyncIterator[Held]:
        async def read() -> Sequence[Held]:
            return [item async for item in self._target.held(partition, key=key)]

        for item in await self._wire.ask(read):
            yield item


class RemoteSeals(Remote):
    """Seals, reached over a wire."""

    async def all(self) -> AsyncIterator[Seal]:
        async def read() -> Sequence[Seal]:
            return [seal async for seal in self._target.all()]

        for seal in await self._wire.ask(read):
            yield seal

    async def leaves(self, after: Position, until: Position | None) -> AsyncIterator[Leaf]:
        async def read() -> Sequence[Leaf]:
            return [leaf async for leaf in self._target.leaves(after, until)]

        for leaf in await self._wire.ask(read):
            yield leaf


class RemoteCommits:
    """A commit store, reached over a wire. An unknown outcome raises OutcomeUnknown, as with the real drivers."""

    def __init__(self, store: CommitStore, wire: Wire) -> None:
        self._store, self._wire = store, wire
        reading: Any = Remote(store, wire)
        self.head, self.read, self.caused_by = reading.head, reading.read, reading.caused_by
        self.took_effect = reading.took_effect
        self.under, self.replace = reading.under, reading.replace
        self.kept, self.keep, self.forget = reading.kept, reading.keep, reading.forget
        self.end, self.behind, self.peek, self.streams = reading.end, reading.behind, reading.peek, reading.streams

    @property
    def refused(self) -> Set[str]:
        return self._store.refused

    async def insert(self, commits: Sequence[Commit]) -> Sequence[Inserted]:
        try:
            answer: Sequence[Inserted] = await self._wire.ask(partial(self._store.insert, commits))
        except StoreAway as away:
            raise OutcomeUnknown(str(away)) from away
        return answer

    async def follow(self, place: Place) -> AsyncGenerator[Batch, None]:
        """Follows the log; resumes when the connection breaks, and sometimes with a place whose token is lost."""
        chance = self._wire.loop.chance
        while True:
            async with contextlib.aclosing(self._store.follow(place)) as batches:
                async for batch in batches:
                    await self._wire.travel()
                    if self._wire.cut or chance.random() < self._wire.rates.shorter:
                        if chance.random() < 0.3:
                            place = Place("lost" if place.token else "", place.position)
                        break
                    place = batch.place
                    yield batch
            while self._wire.cut:
                await asyncio.sleep(0.1)


class RemoteStores:
    """The stores of one context, reached over a wire."""

    def __init__(self, stores: MemoryStores, wire: Wire, *, chance: Chance, probe: Probe) -> None:
        self._stores, self._wire = stores, wire
        self.log = GroupCommitLog(
            RemoteCommits(stores.commits, wire), surroundings=Surroundings(chance=chance, probe=probe)
        )
        self.leases: Any = Remote(stores.leases, wire)
        self.checkpoints: Any = Remote(stores.checkpoints, wire)
        self.pending: Any = Remote(stores.pending, wire)
        self.quarantine: Any = RemoteQuarantine(stores.quarantine, wire)
        self.personal_data: Any = Remote(stores.personal_data, wire)
        self.seals: Any = RemoteSeals(stores.seals, wire)

    def __getattr__(self, name: str) -> Any:
        """Returns any other store, reached over the wire as well."""
        return Remote(getattr(self._stores, name), self._wire)

    def rows(self, projection: Projection[Any]) -> Any:
        return Remote(self._stores.rows(projection), self._wire)

    async def prepare(self, projections: Sequence[Projection[Any]]) -> None:
        await self._wire.ask(partial(self._stores.prepare, projections))

    async def ping(self) -> None:
        await self._wire.ask(self._stores.ping)


@dataclass(slots=True)
class _Channel:
    """Deliveries in flight to a consumer; they arrive in the order in which they were sent."""

    wire: Wire
    receive: Callable[[Delivery], None]
    broken: Callable[[], None]
    lost: asyncio.Event
    under_way: deque[Delivery] = field(default_factory=deque)

    def send(self, delivery: Delivery) -> None:
        self.under_way.append(_RemoteDelivery(delivery, self))
        delay = self.wire.rates.latency * self.wire.loop.chance.uniform(0.1, 1.0)
        self.wire.loop.call_later(delay, self._arrive, context=self.wire.process.context.copy())

    def _arrive(self) -> None:
        if not self.lost.is_set():
            self.receive(self.under_way.popleft())


class _RemoteDelivery:
    def __init__(self, delivery: Delivery, channel: _Channel) -> None:
        self._delivery, self._channel = delivery, channel

    @property
    def headers(self) -> Mapping[str, object]:
        return self._delivery.headers

    @property
    def body(self) -> bytes:
        return self._delivery.body

    async def ack(self) -> None:
        """Acknowledges a delivery. If the acknowledgement is lost, the broker redelivers; the caller gets no error."""
        wire = self._channel.wire
        lost = wire.cut or wire.rates.draw(wire.loop.chance) in (Fate.LOST, Fate.LATE)
        await wire.travel()
        if lost:
            self._channel.broken()
        elif not self._channel.lost.is_set():
            await self._delivery.ack()


class RemoteBroker:
    """The broker, reached over a wire."""

    def __init__(self, broker: MemoryBroker, wire: Wire) -> None:
        self._broker, self._wire = broker, wire
        self._remote: Any = Remote(broker, wire)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._remote, name)

    async def declare(self, topology: Topology) -> None:
        await self._remote.declare(topology)

    async def publish(self, exchange: str, envelope: Envelope) -> None:
        await self._remote.publish(exchange, envelope)

    async def redeliver(self, topology: Topology, envelope: Envelope, replay: str) -> None:
        await self._remote.redeliver(topology, envelope, replay)

    async def end_replay(self, topology: Topology, partition: int, replay: str) -> None:
        await self._remote.end_replay(topology, partition, replay)

    async def queued(self, topology: Topology) -> int:
        waiting: int = await self._remote.queued(topology)
        return waiting

    @asynccontextmanager
    async def consume(
        self, topology: Topology, partition: int, receive: Callable[[Delivery], None]
    ) -> AsyncIterator[asyncio.Event]:
        await self._wire.travel()
        if self._wire.cut:
            raise BrokerAway("the wire to the broker is cut")
        drop = partial(self._broker.drop, self._wire.process)
        channel = _Channel(self._wire, receive, drop, asyncio.Event())
        async with self._broker.consume(topology, partition, channel.send, owner=self._wire.process) as lost:
            channel.lost = lost
            if self._wire.rates.draw(self._wire.loop.chance) is Fate.UNANSWERED:
                await asyncio.sleep(self._wire.loop.chance.uniform(0.0, self._wire.rates.delay))
                raise BrokerAway(Fate.UNANSWERED.value)  # the broker has the consumer, and delivers to it
            yield lost
