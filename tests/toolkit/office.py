"""A desk that hears of a bank, to which the bank's history can be replayed."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from treaty.commits.commit import Commit
from treaty.memory.stores import MemoryStores
from treaty.messaging.envelope import Envelope, envelopes
from treaty.messaging.replays import Replay
from treaty.operations.replay import Replayer
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.samples import NOON
from treaty.testing.world import SeededChance

from tests.toolkit.pieces import BANK, DESK, Desk, publishing, running

PRODUCER = "test.bank"


@dataclass(slots=True)
class Office:
    """A desk that hears of the bank; what it has taken is known by the ids, as an inbox knows it."""

    desk: Desk = field(default_factory=Desk)
    bank: MemoryStores = field(init=False)
    leases: MemoryStores = field(init=False)
    versions: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bank = MemoryStores(Surroundings(clock=self.desk.clock, chance=SeededChance(scale=0.1)))
        self.leases = MemoryStores(Surroundings(clock=self.desk.clock, chance=SeededChance(scale=0.1)))

    async def declared(self) -> "Office":
        for topology in (BANK, DESK):
            await self.desk.broker.declare(topology)
        return self

    async def commit(self, *streams: str, live: bool = False) -> None:
        """Commits an event to each stream; a live one is published too."""
        for stream in streams:
            version = self.versions[stream] = self.versions.get(stream, 0) + 1
            commit = publishing(stream, version)
            await self.bank.log.append(commit)
            if live:
                await self.publish(commit)

    async def publish(self, commit: Commit) -> None:
        for envelope in envelopes(commit, context=PRODUCER):
            self.desk.broker.deliver(DESK.context, envelope)

    async def handle(self, event: Envelope) -> None:
        """Takes an event once, as a use case does whose commit knows its causes."""
        if event.id not in self.desk.done:
            await self.desk.handle(event)

    @asynccontextmanager
    async def consuming(self) -> AsyncIterator[None]:
        """Owns the partition, as long as the block lasts."""
        await self.leases.leases.acquire("p0", "ann", 60)
        async with running(self.desk.consumer(self.handle).run()):
            yield
        await self.leases.leases.release("p0", "ann")

    def replaying(self, *, seconds: float = 20.0) -> Replayer:
        chance = SeededChance(scale=0.05)
        desk = self.desk
        return Replayer(
            self.bank.log, desk.replays, self.leases.leases, desk.broker, DESK, chance=chance, seconds=seconds
        )

    async def replay(self, wish: Replay | None = None) -> int:
        """Replays, and waits for the end of it."""
        wish = wish or wished()
        delivered = await self.replaying().run(wish)
        assert await self.replaying().left(wish.id) == []
        return delivered

    async def settled(self) -> None:
        await self.desk.idle()
        await eventually(self._nothing_held)

    async def _nothing_held(self) -> bool:
        return not await self.desk.held()

    def taken(self, stream: str) -> list[str]:
        return [id for id in self.desk.done if id.startswith(f"{stream}@")]

    def all_of(self, stream: str) -> list[str]:
        return [f"{stream}@{version}#1" for version in range(1, self.versions[stream] + 1)]

    def everything_in_order(self) -> bool:
        return all(self.taken(stream) == self.all_of(stream) for stream in self.versions)


def wished(id: str = "r-1", *, streams: Sequence[str] = ()) -> Replay:
    return Replay(
        id=id,
        producer=PRODUCER,
        types=[f"{PRODUCER}.v1.Happened"],
        streams=streams,
        partitions=1,
        reason="a new subscriber",
        by="ann",
        at=NOON,
    )


async def status(office: Office, id: str = "r-1") -> str:
    replay = await office.desk.replays.get(id)
    return replay.status if replay else ""


async def has_status(office: Office, id: str, wanted: str) -> bool:
    return await status(office, id) == wanted


async def held(office: Office, count: int) -> bool:
    return len(await office.desk.held()) == count


async def holds(office: Office) -> bool:
    [replay] = await office.desk.replays.open()
    return replay.holding == {0}
