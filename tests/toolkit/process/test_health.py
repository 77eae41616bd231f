"""Readiness falls when commands cannot commit or the topology differs, and comes back; liveness stays."""

import asyncio
from typing import Any

import pytest
from bson.timestamp import Timestamp
from commerce.inventory.v1 import inventory_service_pb2 as pb
from commerce.inventory.v1 import inventory_service_pb2_grpc as pb_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from treaty.clock import SystemClock
from treaty.commits.group_commit import GroupCommitLog
from treaty.commits.log import StoreAway
from treaty.memory.broker import MemoryBroker
from treaty.memory.commits import Fault, MemoryCommits
from treaty.messaging.broker import Topology, TopologyDiffers
from treaty.mongo.majority import Majority
from treaty.rpc.health import LIVENESS, READINESS
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.recorder import Recorder
from treaty.testing.samples import plain_commit
from treaty.testing.world import SeededChance, World, embedded

INVENTORY = "commerce.inventory"


async def serves(world: World, name: str) -> bool:
    health = health_pb2_grpc.HealthStub(world.channel)
    answer = await health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def is_unready(world: World) -> bool:
    return not await serves(world, READINESS)


@pytest.mark.slow
async def test_a_majority_that_lags_ends_readiness_and_nothing_else() -> None:
    probe = Recorder()
    async with embedded(INVENTORY, probe=probe) as world:
        await eventually(lambda: serves(world, READINESS))
        commits = world.stores[INVENTORY].commits
        commits.faults.append(Fault.LAGGING)
        stub = pb_grpc.InventoryServiceStub(world.channel)
        request = pb.RegisterItemRequest(request_id=world.ids.new(), sku="lamp")
        answer = asyncio.ensure_future(stub.RegisterItem(request, timeout=60))
        await eventually(lambda: is_unready(world))
        assert probe.gauges["treaty.ready"] == 0
        assert await serves(world, LIVENESS)
        await commits.catch_up()
        await eventually(lambda: serves(world, READINESS))
        assert (await answer).item.sku == "lamp"
    assert probe.gauges["treaty.ready"] == 1


class _Differing(MemoryBroker):
    differs = False

    async def declare(self, topology: Topology) -> None:
        if self.differs:
            raise TopologyDiffers("a queue is of another kind")
        await super().declare(topology)


@pytest.mark.slow
async def test_a_topology_that_differs_ends_readiness_and_nothing_else() -> None:
    broker = _Differing()
    async with embedded(INVENTORY, broker=broker) as world:
        await eventually(lambda: serves(world, READINESS))
        broker.differs = True
        await world.runner(INVENTORY)._declare()
        await eventually(lambda: is_unready(world))
        assert await serves(world, LIVENESS)
        assert "commerce.inventory: the topology is not as declared: a queue" in await world.host._obstacles()
        broker.differs = False
        await world.runner(INVENTORY)._declare()
        await eventually(lambda: serves(world, READINESS))


async def test_a_commit_that_does_not_get_through_is_noticed_until_it_does() -> None:
    commits = MemoryCommits(SystemClock())
    log = GroupCommitLog(commits, surroundings=Surroundings(chance=SeededChance(scale=0.1)))
    log.check(0.0)
    commits.faults.append(Fault.LAGGING)
    appends = [asyncio.ensure_future(log.append(plain_commit(f"thing-{n}"))) for n in range(3)]
    await eventually(lambda: _complains(log, 0.01))
    log.check(60.0)
    await commits.catch_up()
    await asyncio.gather(*appends)
    log.check(0.0)


def _complains(log: GroupCommitLog, patience: float) -> bool:
    try:
        log.check(patience)
    except StoreAway:
        return True
    return False


def hello(primary: int, majority: int) -> dict[str, Any]:
    """Returns what a primary says of how far it and the majority are."""
    return {"lastWrite": {"opTime": {"ts": Timestamp(primary, 1)}, "majorityOpTime": {"ts": Timestamp(majority, 1)}}}


def test_a_majority_that_does_not_come_to_where_the_primary_was_lags() -> None:
    majority = Majority(patience=5.0)
    answers = [(hello(10, 10), 0.0), (hello(20, 10), 1.0), (hello(30, 10), 5.9), (hello(40, 19), 6.1)]
    assert [majority.lags(answer, now) for answer, now in answers] == [False, False, False, True]
    assert not majority.lags(hello(50, 45), 6.2)


def test_a_majority_that_is_always_a_little_behind_does_not_lag() -> None:
    majority = Majority(patience=5.0)
    assert not any(majority.lags(hello(n + 1, n), float(n)) for n in range(1, 100))


def test_a_write_after_a_long_silence_is_no_lag() -> None:
    majority = Majority(patience=5.0)
    assert not majority.lags(hello(10, 10), 0.0)
    assert not majority.lags(hello(600, 10), 590.0)
    assert not majority.lags(hello(600, 600), 591.0)


def test_a_server_without_replication_does_not_lag() -> None:
    assert not Majority(0.0).lags({"isWritablePrimary": True}, 99.0)
