"""A bank that publishes events, and a desk that commits once for each of them; on memory adapters or real servers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from treaty.causes import current_cause
from treaty.commits.commit import Outgoing
from treaty.commits.log import Place
from treaty.memory.broker import MemoryBroker
from treaty.memory.stores import MemoryStores
from treaty.messaging.broker import Broker, Topology
from treaty.messaging.subscriptions import Subscription
from treaty.messaging.tries import Patience
from treaty.operations.deliveries import DeliveryAudit, Findings
from treaty.operations.redelivery import Redelivery
from treaty.process.runner import Runner
from treaty.service.context_map import Pattern, Relation
from treaty.service.service import Service, topology_of
from treaty.service.stores import Stores
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.recorder import Recorder
from treaty.testing.samples import NOON, bare_api, plain_commit
from treaty.testing.world import SeededChance

HAPPENED, IGNORED, POISON = b"happened", b"ignored", b"poison"
"""Bodies of events: the desk takes the first, its translation ignores the second, and the third fails."""


def surroundings() -> Surroundings:
    return Surroundings(chance=SeededChance(scale=0.1), probe=Recorder())


def stores() -> MemoryStores:
    return MemoryStores(surroundings())


@dataclass(slots=True)
class Pair:
    """The two contexts. `taken` has the causes of the desk's commits, `versions` the streams of the bank."""

    broker: Broker = field(default_factory=MemoryBroker)
    bank: Stores = field(default_factory=stores)
    desk: Stores = field(default_factory=stores)
    name: str = "made.bank"
    probe: Recorder = field(default_factory=Recorder)
    taken: list[str] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.subscriptions = [self.subscription("Happened", name) for name in ("Happened", "Second")]

    def subscription(self, type: str, name: str) -> Subscription:
        return Subscription(name, self.type(type), bytes, lambda body: None if body == IGNORED else body, self.take)

    def type(self, name: str) -> str:
        return f"{self.name}.v1.{name}"

    async def take(self, body: bytes) -> None:
        if body == POISON:
            raise ValueError("it is poison")
        cause = current_cause().id
        if not await self.desk.log.took_effect([cause]):
            await self.desk.log.append(plain_commit(f"note-{cause}", causes=[f"{cause}/step"]))
            self.taken.append(cause)

    async def commit(self, *streams: str, body: bytes = HAPPENED, type: str = "Happened") -> None:
        for stream in streams:
            version = self.versions[stream] = self.versions.get(stream, 0) + 1
            outgoing = Outgoing(type=self.type(type), body=body, time=NOON, cause=0)
            await self.bank.log.append(replace(plain_commit(stream, version), outbox=[outgoing], sequence=version))

    @property
    def services(self) -> Sequence[Service]:
        """The bank and the desk."""
        api = bare_api("made.v1.Made")
        relations = [Relation(self.name, Pattern.CONFORMIST)]
        desk = Service(name=f"{self.name}_desk", api=api, subscriptions=self.subscriptions, relations=relations)
        return Service(name=self.name, api=api), desk

    @property
    def topology(self) -> Topology:
        """The topology of the desk."""
        return topology_of(self.services[1], 2)

    @asynccontextmanager
    async def running(self, *, desk: bool = True) -> AsyncIterator[None]:
        """Runs the bank, and the desk too unless it is left out."""
        async with AsyncExitStack() as stack:
            chosen = list(zip(self.services, (self.bank, self.desk), strict=True))
            for service, stores in chosen if desk else chosen[:1]:
                runner = Runner(
                    service=service,
                    stores=stores,
                    broker=self.broker,
                    surroundings=surroundings(),
                    partitions=2,
                    patience=Patience(tries=1, look_every=0.02),
                )
                await runner.start()
                stack.push_async_callback(runner.stop)
                await eventually(partial(_is_ready, runner))
            yield

    def audit(self, *, grace: float = 0.0, patience: float = 20.0) -> DeliveryAudit:
        return DeliveryAudit(
            service=self.services[1],
            stores=self.desk,
            producers={self.name: self.bank},
            broker=self.broker,
            partitions=2,
            surroundings=Surroundings(probe=self.probe),
            grace=grace,
            patience=patience,
        )

    def redelivery(self) -> Redelivery:
        return Redelivery(
            service=self.services[1],
            stores=self.desk,
            producers={self.name: self.bank},
            broker=self.broker,
            partitions=2,
            surroundings=surroundings(),
        )

    async def published(self) -> bool:
        """Returns whether the relay has published everything."""
        place = (await self.bank.checkpoints.load()).get("relay", Place())
        return not (await self.bank.log.behind(place)).events


def _is_ready(runner: Runner) -> bool:
    return runner.ready


def ids(found: Findings) -> list[str]:
    """Returns the ids of the missing events."""
    return [event.envelope.id for event in found.missing]


async def nothing_waits(audit: DeliveryAudit) -> Findings:
    """Returns the findings of the first round after which no late event waits."""

    async def looked() -> Findings | None:
        found = await audit.round()
        return None if found.waiting else found

    found = await eventually(looked, within=60)
    assert found is not None
    return found
