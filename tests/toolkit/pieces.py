"""Pieces of what happens after a commit, to put together in a test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from treaty.commits.commit import Commit, Outgoing, PendingCall
from treaty.concurrency.tasks import at_once
from treaty.followers.inbox import note_mark
from treaty.followers.pending import Item
from treaty.followers.pending_work import PendingWork
from treaty.memory.broker import MemoryBroker
from treaty.memory.leases import MemoryCheckpoints
from treaty.memory.pending import MemoryPending
from treaty.memory.quarantine import MemoryQuarantine
from treaty.memory.replays import MemoryReplays
from treaty.messaging.broker import Topology
from treaty.messaging.consumer import PartitionConsumer
from treaty.messaging.envelope import Envelope
from treaty.messaging.quarantine import Action, Intent, Quarantined
from treaty.messaging.tries import Patience
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.recorder import Recorder
from treaty.testing.samples import NOON, envelope, plain_commit
from treaty.testing.suites.broker import subscriber
from treaty.testing.world import ManualClock, SeededChance

from tests.toolkit.bank import COMMANDS, Ring

BANK = Topology(context="test.bank", publishes=["test.bank.v1.Happened"], subscribes={}, partitions=1)
DESK = subscriber("test.desk", "test.bank")


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator["asyncio.Task[None]"]:
    """Runs something endless until the block is left."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def publishing(stream: str, version: int, *, events: int = 1) -> Commit:
    """Returns a commit with integration events."""
    outgoing = [Outgoing(type="test.bank.v1.Happened", body=b"%d" % n, time=NOON, cause=0) for n in range(events)]
    return replace(plain_commit(stream, version), outbox=outgoing, sequence=version * events)


def calling(stream: str, version: int, *texts: str, **known: Any) -> Commit:
    """Returns a commit that asks for calls, at `due` if that is given."""
    calls = [PendingCall(type="ring", body=COMMANDS.encode(Ring(text=text)), cause=0, **known) for text in texts]
    return replace(plain_commit(stream, version), calls=calls)


class CountingPending(MemoryPending):
    """Pending work that counts how often the time was asked for."""

    asked = 0

    async def now(self) -> datetime:
        self.asked += 1
        return await super().now()


@dataclass(slots=True)
class Parking:
    """Pending work with a clock that is moved by hand."""

    clock: ManualClock = field(default_factory=ManualClock)
    probe: Recorder = field(default_factory=Recorder)
    store: CountingPending = field(init=False)

    def __post_init__(self) -> None:
        self.store = CountingPending(self.clock)

    def work(self, run: Callable[[Item], Awaitable[None]]) -> PendingWork:
        """Returns what the holder of the lease would have."""
        return PendingWork(
            self.store,
            run,
            surroundings=Surroundings(chance=SeededChance(scale=0.1), probe=self.probe),
            look_every=0.01,
        )

    async def is_empty(self) -> bool:
        return not await self.store.find(1)

    async def looked(self, times: int) -> None:
        """Waits until the pending work has asked for the time so many times more."""
        before = self.store.asked
        await eventually(lambda: self.store.asked >= before + times)


@dataclass(slots=True)
class Desk:
    """A consumer of one partition, and what its handler was given. Ids in `poison` fail; `gates` hold their ids."""

    broker: MemoryBroker = field(default_factory=MemoryBroker)
    quarantine: MemoryQuarantine = field(default_factory=MemoryQuarantine)
    replays: MemoryReplays = field(default_factory=MemoryReplays)
    checkpoints: MemoryCheckpoints = field(default_factory=MemoryCheckpoints)
    clock: ManualClock = field(default_factory=ManualClock)
    probe: Recorder = field(default_factory=Recorder)
    poison: set[str] = field(default_factory=set)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    async def declared(self) -> "Desk":
        await self.broker.declare(DESK)
        return self

    async def handle(self, event: Envelope) -> None:
        self.started.append(event.id)
        if event.id in self.gates:
            await self.gates[event.id].wait()
        if event.id in self.poison:
            raise ValueError(f"{event.id} is poison")
        self.done.append(event.id)

    def consumer(self, handle: Callable[[Envelope], Awaitable[None]] | None = None) -> PartitionConsumer:
        return PartitionConsumer(
            DESK,
            0,
            self.broker,
            handle or self.handle,
            self.quarantine,
            self.replays,
            surroundings=Surroundings(clock=self.clock, chance=SeededChance(scale=0.02), probe=self.probe),
            note_mark=partial(note_mark, self.checkpoints, 0),
            sure=at_once,
            patience=Patience(tries=3, pause=0.01, look_every=0.02),
        )

    def deliver(self, *ids: str) -> None:
        """Delivers events; the key of one is the first letter of its id."""
        for id in ids:
            self.broker.deliver(DESK.context, envelope("test.bank", id, key=id[0]))

    async def held(self) -> list[str]:
        return [item.id.removeprefix("test.bank/") async for item in self.quarantine.held(0)]

    async def intend(self, id: str, action: Action) -> None:
        """Leaves a person's intent for a message in quarantine."""
        intent = Intent(action=action, reason="a person said so", at=self.clock.now())
        assert await self.quarantine.intend(f"test.bank/{id}", intent)

    async def known(self, id: str) -> Quarantined:
        item = await self.quarantine.get(f"test.bank/{id}")
        assert item is not None
        return item

    async def was_tried(self, id: str, times: int) -> bool:
        return (await self.known(id)).attempts == times

    async def holds_nothing(self) -> bool:
        return not await self.held()

    async def idle(self) -> None:
        """Waits until every delivery is acknowledged."""
        await eventually(self._is_idle)

    async def _is_idle(self) -> bool:
        return await self.broker.queued(DESK) == 0


def of(key: str, ids: Sequence[str]) -> list[str]:
    """Returns the ids of a key, in their order."""
    return [id for id in ids if id.startswith(key)]
