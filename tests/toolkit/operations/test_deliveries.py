"""The audit of deliveries names exactly the events that the broker lost, and redelivery brings exactly those."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
from treaty.causes import current_cause
from treaty.commits.commit import Outgoing
from treaty.memory.broker import MemoryBroker
from treaty.memory.stores import MemoryStores
from treaty.messaging.consumer import Patience
from treaty.messaging.quarantine import Intent
from treaty.messaging.replays import Replay
from treaty.messaging.subscriptions import Subscription
from treaty.operations.deliveries import DeliveryAudit, Findings
from treaty.operations.redelivery import Redelivery
from treaty.process.runner import Runner
from treaty.rpc.api import Api
from treaty.service.context_map import Pattern, Relation
from treaty.service.service import Service
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.recorder import Recorder
from treaty.testing.samples import NOON, plain_commit
from treaty.testing.world import SeededChance

BANK, DESK = "made.bank", "made.desk"
HAPPENED, IGNORED, POISON = b"happened", b"ignored", b"poison"
TYPE = "made.bank.v1.Happened"


def _surroundings() -> Surroundings:
    return Surroundings(chance=SeededChance(scale=0.1), probe=Recorder())


def _stores() -> MemoryStores:
    return MemoryStores(_surroundings())


def _is_ready(runner: Runner) -> bool:
    return runner.ready


@dataclass(slots=True)
class Town:
    """A bank that publishes events, and a desk that commits once for each of them."""

    broker: MemoryBroker = field(default_factory=MemoryBroker)
    bank: MemoryStores = field(default_factory=_stores)
    desk: MemoryStores = field(default_factory=_stores)
    probe: Recorder = field(default_factory=Recorder)
    taken: list[str] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.subscriptions = [self.subscription("Happened", "Happened"), self.subscription("Happened", "Second")]

    def subscription(self, type: str, name: str) -> Subscription:
        return Subscription(
            name, f"made.bank.v1.{type}", bytes, lambda body: None if body == IGNORED else body, self.take
        )

    async def take(self, body: bytes) -> None:
        if body == POISON:
            raise ValueError("it is poison")
        cause = current_cause().id
        if not await self.desk.log.took_effect([cause]):
            self.taken.append(cause)
            await self.desk.log.append(plain_commit(f"note-{cause}", causes=[f"{cause}/step"]))

    async def commit(self, *streams: str, body: bytes = HAPPENED, type: str = TYPE) -> None:
        for stream in streams:
            version = self.versions[stream] = self.versions.get(stream, 0) + 1
            outgoing = Outgoing(type=type, body=body, time=NOON, cause=0)
            commit = replace(plain_commit(stream, version), outbox=[outgoing], sequence=version)
            await self.bank.log.append(commit)

    @property
    def services(self) -> Sequence[Service]:
        api = Api(lambda *_: None, None, "made.v1.Made")
        relations = [Relation(BANK, Pattern.CONFORMIST)]
        return (
            Service(name=BANK, api=api),
            Service(name=DESK, api=api, subscriptions=self.subscriptions, relations=relations),
        )

    @asynccontextmanager
    async def running(self, *names: str) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for service, stores in zip(self.services, (self.bank, self.desk), strict=True):
                if service.name in names:
                    runner = Runner(
                        service=service,
                        stores=stores,
                        broker=self.broker,
                        surroundings=_surroundings(),
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
            producers={BANK: self.bank},
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
            producers={BANK: self.bank},
            broker=self.broker,
            partitions=2,
            surroundings=_surroundings(),
        )

    async def published(self) -> bool:
        events = sum(len(commit.outbox) for commit in self.bank.commits.commits)
        place = (await self.bank.checkpoints.load()).get("relay")
        return len(self.broker.published) >= events and place == await self.bank.log.end()


@pytest.fixture
async def town() -> Town:
    """A town whose audit has begun."""
    town = Town()
    async with town.running(BANK, DESK):
        await town.audit().round()
    return town


def ids(found: Findings) -> list[str]:
    return [event.envelope.id for event in found.missing]


async def nothing_waits(audit: DeliveryAudit) -> Findings:
    """Returns the findings of the first round after which no late event waits."""

    async def looked() -> Findings | None:
        found = await audit.round()
        return None if found.waiting else found

    found = await eventually(looked)
    assert found is not None
    return found


async def lose(town: Town, *streams: str, body: bytes = HAPPENED) -> None:
    """Publishes an event of each stream, and loses it while nobody consumes."""
    async with town.running(BANK):
        await town.commit(*streams, body=body)
        await eventually(town.published)
    assert town.broker.lose_queued(DESK)


async def test_what_arrives_is_not_missing(town: Town) -> None:
    async with town.running(BANK, DESK):
        await town.commit("a-1", "a-2", "a-1")
        assert await nothing_waits(town.audit()) == Findings()
        await eventually(lambda: len(town.taken) == 6)


async def test_lost_messages_are_missing_and_redelivery_brings_exactly_those(town: Town) -> None:
    async with town.running(BANK, DESK):
        await town.commit("a-1", "a-2", "a-3")
        await eventually(lambda: len(town.taken) == 6)
    await lose(town, "a-1", "a-2", "a-1")
    async with town.running(BANK, DESK):
        await town.commit("a-1", "a-3")
        await eventually(lambda: len(town.taken) == 10)
        audit = town.audit()
        found = await nothing_waits(audit)
        assert sorted(ids(found)) == ["a-1@2#1", "a-1@3#1", "a-2@2#1"]
        assert town.probe.gauges["treaty.audit.missing"] == 3
        assert await town.redelivery().deliver(found.missing) == 3
        assert await nothing_waits(audit) == Findings()
        assert town.probe.gauges["treaty.audit.missing"] == 0
    assert [cause for cause in town.taken[10:] if "a-1" in cause] == [
        f"{BANK}/a-1@{version}#1/{name}" for version in (2, 3) for name in ("Happened", "Second")
    ]
    assert len(town.taken) == len(set(town.taken)) == 16


async def test_what_is_missing_stays_so_in_later_audits_until_it_is_there(town: Town) -> None:
    await lose(town, "a-1")
    async with town.running(BANK, DESK):
        assert ids(await nothing_waits(town.audit())) == ["a-1@1#1"]
    async with town.running(BANK, DESK):
        assert ids(await nothing_waits(town.audit())) == ["a-1@1#1"]


async def test_what_nobody_reads_is_not_missing_but_unread(town: Town) -> None:
    async with town.running(BANK):
        await town.commit("a-1")
        await eventually(town.published)
        found = await town.audit(patience=0.0).round()
        assert (found.missing, found.waiting, found.unread) == ((), 1, [0, 1])
        assert town.probe.gauges["treaty.audit.unread"] == 2
        assert len(town.broker.inbox(DESK)) == 3
    async with town.running(BANK, DESK):
        assert await nothing_waits(town.audit()) == Findings()


async def test_what_is_not_published_yet_is_not_missing(town: Town) -> None:
    async with town.running(BANK, DESK):
        town.broker.away = True
        await town.commit("a-1")
        found = await town.audit().round()
        assert (found.missing, found.waiting, found.unread) == ((), 1, ())
        town.broker.away = False
        assert await nothing_waits(town.audit()) == Findings()


async def test_what_the_broker_does_not_accept_is_not_missing(town: Town) -> None:
    town.broker.refused.add("a-1@1#1")
    async with town.running(BANK, DESK):
        await town.commit("a-1", "a-2")
        await eventually(town.bank.pending.lanes)
        audit = town.audit()
        await eventually(lambda: len(town.taken) == 2)
        found = await audit.round()
        assert (found.missing, found.waiting) == ((), 1)
        town.broker.refused.clear()


async def test_what_is_in_quarantine_or_was_discarded_is_not_missing(town: Town) -> None:
    async with town.running(BANK, DESK):
        await town.commit("a-1", "a-2", body=POISON)
        await eventually(lambda: quarantined(town, 2))
        await town.desk.quarantine.intend(f"{BANK}/a-2@1#1", Intent(action="discard", reason="no", at=NOON))
        await eventually(lambda: quarantined(town, 1))
        assert await nothing_waits(town.audit()) == Findings()
        assert await nothing_waits(town.audit()) == Findings()


async def quarantined(town: Town, count: int) -> bool:
    return len(await town.desk.quarantine.find()) == count


async def test_what_the_translation_ignores_is_not_missing(town: Town) -> None:
    await lose(town, "a-1", body=IGNORED)
    async with town.running(BANK, DESK):
        assert await nothing_waits(town.audit()) == Findings()


async def test_a_subscription_that_may_commit_nothing_is_left_out(town: Town) -> None:
    await lose(town, "a-1")
    town.subscriptions = [replace(one, commits=False) for one in town.subscriptions]
    async with town.running(BANK, DESK):
        assert await nothing_waits(town.audit()) == Findings()


async def test_what_an_open_replay_will_deliver_is_not_missing(town: Town) -> None:
    await lose(town, "a-1")
    replay = Replay(id="r-1", producer=BANK, types=[TYPE], partitions=2, reason="", by="ann", at=NOON)
    await town.desk.replays.add(replay)
    async with town.running(BANK, DESK):
        found = await town.audit().round()
        assert (found.missing, found.waiting) == ((), 1)
        await town.desk.replays.abandon("r-1")
        assert ids(await nothing_waits(town.audit())) == ["a-1@1#1"]


async def test_a_young_event_is_not_looked_into(town: Town) -> None:
    await lose(town, "a-1")
    async with town.running(BANK, DESK):
        assert await town.audit(grace=600).round() == Findings()


async def test_the_audit_begins_with_the_first_event_after_it_met_a_type(town: Town) -> None:
    other = "made.bank.v1.Other"
    await town.commit("a-1", type=other)
    town.subscriptions.append(town.subscription("Other", "Other"))
    async with town.running(BANK, DESK):
        assert await nothing_waits(town.audit()) == Findings()
        await eventually(town.published)
    async with town.running(BANK):
        await town.commit("a-1", type=other)
        await eventually(town.published)
    assert town.broker.lose_queued(DESK)
    async with town.running(BANK, DESK):
        assert ids(await nothing_waits(town.audit())) == ["a-1@2#1"]


async def test_a_scan_after_a_lost_place_finds_the_same(town: Town) -> None:
    await lose(town, "a-1", "a-2", "a-1", "a-3", "a-4", "a-5", "a-6")
    async with town.running(BANK, DESK):
        town.bank.commits.history_lost = True
        assert len(ids(await nothing_waits(town.audit()))) == 7


async def test_a_mark_that_is_lost_too_is_put_again(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treaty.operations.deliveries._MARK_AGAIN_SECONDS", 0.0)
    await lose(town, "a-1")
    audit = town.audit(patience=0.0)
    assert (await audit.round()).unread == [0, 1]
    assert len(town.broker.lose_queued(DESK)) == 2
    async with town.running(BANK, DESK):
        audit.patience = 20.0
        assert ids(await nothing_waits(audit)) == ["a-1@1#1"]


async def test_the_place_passes_an_event_only_when_there_is_a_trace_of_it(town: Town) -> None:
    name = f"audit of {BANK}"
    before = (await town.desk.checkpoints.load())[name]
    await lose(town, "a-1")
    async with town.running(BANK, DESK):
        await town.commit("a-2")
        await eventually(lambda: len(town.taken) == 2)
        audit = town.audit()
        found = await nothing_waits(audit)
        assert (await town.desk.checkpoints.load())[name] == before
        await town.redelivery().deliver(found.missing)
        await nothing_waits(audit)
        assert (await town.desk.checkpoints.load())[name] == await town.bank.log.end()
