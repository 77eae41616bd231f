"""The runner: leases say who does the work, and whoever loses one stops before anybody else starts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from treaty.memory.broker import MemoryBroker
from treaty.memory.stores import MemoryStores
from treaty.messaging.broker import BrokerAway, BrokerRefused, MayDrop, Topology, TopologyDiffers
from treaty.messaging.subscriptions import Subscription
from treaty.messaging.tries import Patience
from treaty.process.runner import Runner
from treaty.projections.rows import Rows
from treaty.service.context_map import Pattern, Relation
from treaty.service.service import Service
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.recorder import Recorder
from treaty.testing.samples import NOTES, bare_api, noted
from treaty.testing.world import SeededChance, SeededIds

from tests.toolkit.pieces import publishing

LEASE = 0.3


def service(**parts: Any) -> Service:
    return Service(name="test.bank", api=bare_api("test.bank.v1.Bank"), **parts)


NOTED = Subscription(name="Noted", type="test.desk.v1.Noted", parse=bytes, translate=bytes, then=asyncio.sleep)
RELATIONS = [Relation("test.desk", Pattern.CONFORMIST)]


@dataclass(slots=True)
class Site:
    """What processes share."""

    stores: MemoryStores = field(default_factory=lambda: MemoryStores(Surroundings(chance=SeededChance(scale=0.1))))
    broker: MemoryBroker = field(default_factory=MemoryBroker)
    place: str = ""

    @asynccontextmanager
    async def process(
        self,
        name: str,
        *,
        verify_seconds: float = 10.0,
        refused_seconds: float = 30.0,
        patience: Patience | None = None,
        **parts: Any,
    ) -> AsyncIterator[Runner]:
        runner = Runner(
            refused_seconds=refused_seconds,
            verify_seconds=verify_seconds,
            patience=patience or Patience(),
            place=self.place,
            service=service(**parts),
            stores=self.stores,
            broker=self.broker,
            surroundings=Surroundings(ids=SeededIds(name), chance=SeededChance(scale=0.1), probe=Recorder()),
            partitions=2,
            lease_seconds=LEASE,
        )
        await runner.start()
        try:
            yield runner
        finally:
            await runner.stop()

    @property
    def published(self) -> list[str]:
        return [event.id for event in self.broker.published]

    async def commit(self, stream: str) -> None:
        await self.stores.log.append(publishing(stream, 1))

    def holder(self, lease: str) -> str:
        """Returns the process that holds a lease, without the number of its holding."""
        return self.holding(lease).partition("#")[0]

    def holding(self, lease: str) -> str:
        return self.stores.leases._held.get(lease, ("", None, 0))[0]


@pytest.fixture
def site() -> Site:
    return Site()


async def test_one_process_at_a_time_runs_the_followers_of_a_context(site: Site) -> None:
    async with site.process("one") as one, site.process("two"):
        await eventually(lambda: site.holder("followers") == one._owner)
        for n in range(10):
            await site.commit(f"thing-{n}")
        await eventually(lambda: len(site.published) == 10)
    assert sorted(site.published) == [f"thing-{n}@1#1" for n in range(10)]


async def test_another_process_takes_over_when_one_stops(site: Site) -> None:
    async with site.process("two") as two:
        async with site.process("one"):
            await site.commit("thing-1")
            await eventually(lambda: site.published)
        await eventually(lambda: site.holder("followers") == two._owner)
        await site.commit("thing-2")
        await eventually(lambda: len(site.published) == 2)
    assert site.published == ["thing-1@1#1", "thing-2@1#1"]


async def test_a_stopped_process_holds_no_lease(site: Site) -> None:
    async with site.process("one"):
        await eventually(lambda: site.holder("followers"))
    assert {site.holder(lease) for lease in ("followers", "p0", "p1")} == {""}


@pytest.mark.slow
async def test_a_process_keeps_its_lease_as_long_as_it_lives(site: Site) -> None:
    async with site.process("one") as one, site.process("two"):
        await eventually(lambda: site.holder("followers") == one._owner)
        _, until, epoch = site.stores.leases._held["followers"]
        for _ in range(5):
            await eventually(lambda before=until: site.stores.leases._held["followers"][1] > before)  # type: ignore[misc]
            _, until, now = site.stores.leases._held["followers"]
            assert now == epoch


@pytest.mark.slow
async def test_a_process_that_lost_its_lease_stops_and_comes_back_with_a_new_epoch(site: Site) -> None:
    async with site.process("one") as one:
        await site.commit("thing-1")
        await eventually(lambda: site.published)
        first_epoch = site.stores.leases._held["followers"][2]
        await site.stores.leases.release("followers", site.holding("followers"))
        assert await site.stores.leases.acquire("followers", "a rival", 0.5) == first_epoch + 1
        await site.stores.checkpoints.save({}, first_epoch + 1)
        await site.commit("thing-2")
        await eventually(lambda: site.holder("followers") == one._owner)
        assert site.stores.leases._held["followers"][2] == first_epoch + 2
        await site.commit("thing-3")
        await eventually(lambda: "thing-3@1#1" in site.published)
    assert {"thing-2@1#1", "thing-3@1#1"} <= set(site.published)


async def test_a_process_is_ready_once_its_topology_is_declared(site: Site) -> None:
    class NotYet(MemoryBroker):
        open = False

        async def declare(self, topology: Any) -> None:
            if not self.open:
                raise OSError("not yet")
            await super().declare(topology)

    site.broker = NotYet()
    async with site.process("one") as one:
        with pytest.raises(RuntimeError, match="topology"):
            await one.check()
        site.broker.open = True
        await eventually(lambda: one.ready)
        await one.check()


async def test_a_client_that_cancels_whoever_asks_ends_neither_the_declarations_nor_a_partition(site: Site) -> None:
    class Cancelling(MemoryBroker):
        """Cancels the requests under way, as a client does whose connection is dead."""

        declared, consumed = 0, 0

        async def declare(self, topology: Any) -> None:
            self.declared += 1
            if self.declared in (1, 3):
                raise asyncio.CancelledError
            await super().declare(topology)

        @asynccontextmanager
        async def consume(
            self, topology: Any, partition: int, receive: Any, *, owner: object = None
        ) -> AsyncIterator[asyncio.Event]:
            self.consumed += 1
            if self.consumed <= 2:
                raise asyncio.CancelledError
            async with super().consume(topology, partition, receive) as lost:
                yield lost

    site.broker = broker = Cancelling()
    async with site.process("one", verify_seconds=0.05, subscriptions=[NOTED], relations=RELATIONS) as one:
        await eventually(lambda: one.ready and broker.declared > 5)
        await eventually(lambda: broker.consumed >= 4)


async def test_resources_are_open_while_the_context_runs(site: Site) -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def client() -> AsyncIterator[None]:
        seen.append("open")
        yield
        seen.append("closed")

    async with site.process("one", resources=[client()]):
        assert seen == ["open"]
    assert seen == ["open", "closed"]


async def test_the_stores_are_prepared_for_the_projections_first(site: Site) -> None:
    prepared: list[str] = []

    class Preparing(MemoryStores):
        async def prepare(self, projections: Any) -> None:
            prepared.extend(projection.name for projection in projections)

    site.stores = Preparing(Surroundings(chance=SeededChance()))
    async with site.process("one", projections=[NOTES]):
        assert prepared == ["notes"]


async def test_nothing_runs_on_after_a_stop(site: Site) -> None:
    before = asyncio.all_tasks()
    async with site.process("one"):
        await site.commit("thing-1")
        await eventually(lambda: site.published)
    assert asyncio.all_tasks() == before


async def test_a_topology_that_is_no_longer_as_declared_ends_readiness_and_a_broker_that_is_away_does_not(
    site: Site,
) -> None:
    broker = _Differing()
    site.broker = broker
    async with site.process("ann", verify_seconds=0.05) as runner:
        await eventually(lambda: runner.ready)
        broker.error = BrokerAway("no answer")
        await eventually(lambda: broker.asked > 3)
        assert runner.ready
        broker.error = TopologyDiffers("a queue is of another kind")
        await eventually(lambda: not runner.ready)
        with pytest.raises(RuntimeError, match="not as declared"):
            await runner.check()
        broker.error = None
        await eventually(lambda: runner.ready)


async def test_what_a_policy_may_drop_is_read_by_a_process_that_is_not_ready(site: Site) -> None:
    broker = _Differing()
    site.broker = broker
    broker.error = MayDrop("the policy careless drops messages")
    async with site.process("ann", verify_seconds=0.05, subscriptions=[NOTED], relations=RELATIONS) as runner:
        await eventually(lambda: site.holder("p0") and site.holder("p1"))
        with pytest.raises(RuntimeError, match="the policy careless drops messages"):
            await runner.check()
        broker.error = None
        await eventually(lambda: runner.ready)


async def test_a_broker_that_refuses_this_process_for_long_ends_readiness_and_the_reason_is_told(site: Site) -> None:
    broker = _Differing()
    site.broker = broker
    async with site.process("ann", verify_seconds=0.02, refused_seconds=0.2) as runner:
        await eventually(lambda: runner.ready)
        broker.error = BrokerRefused("the password is wrong")
        await eventually(lambda: not runner.ready)
        assert broker.asked > 1  # one refusal is not long
        with pytest.raises(RuntimeError, match="refuses this process: the password is wrong"):
            await runner.check()
        broker.error = None
        await eventually(lambda: runner.ready)


async def test_refusals_with_silence_between_them_are_not_for_long(site: Site) -> None:
    broker = _Differing()
    site.broker = broker
    async with site.process("ann", refused_seconds=0.0) as runner:
        await eventually(lambda: runner.ready)
        for error in [BrokerRefused("no"), BrokerAway("silence")] * 3:
            broker.error = error
            await runner._declare()
        assert runner.ready


class _Differing(MemoryBroker):
    """A broker whose topology is what `error` says."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.asked = 0

    async def declare(self, topology: Topology) -> None:
        self.asked += self.error is not None
        if self.error is None or isinstance(self.error, MayDrop):
            await super().declare(topology)
        if self.error is not None:
            raise self.error


async def test_a_lease_names_the_process_that_holds_it(site: Site) -> None:
    async with site.process("ann") as unnamed:
        await eventually(lambda: site.holder("followers") == unnamed._owner)
    site.place = "host/7"
    async with site.process("bob"):
        owner = await eventually(lambda: site.holder("followers"))
    assert owner == f"host/7/{SeededIds('bob').new()[:8]}"


async def test_a_rebuilt_read_model_gets_what_came_while_it_was_put_in_place_without_another_commit(site: Site) -> None:
    rows = site.stores.rows(NOTES)
    async with site.process("one", projections=[NOTES], patience=Patience(look_every=0.02)):
        await site.stores.log.append(noted("a", 1, "ann", 7))
        await eventually(lambda: _shown(rows, 0))
        generation = await rows.begin()
        await rows.serve(generation)  # the last commit was missed
        await eventually(lambda: _shown(rows, generation))


async def _shown(rows: Rows, generation: int) -> bool:
    return bool([row for row in await rows.everything(generation) if row.values is not None])
