"""What the holder of the followers' lease tells: lags, ages and sizes, as they are in the stores."""

from dataclasses import replace
from datetime import timedelta

import pytest
from treaty.commits.holes import skip
from treaty.commits.log import Place
from treaty.followers.pending import Item
from treaty.memory.stores import MemoryStores
from treaty.operations.gauges import Gauges
from treaty.service.service import Service
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.recorder import Recorder
from treaty.testing.samples import bare_api, plain_commit
from treaty.testing.suites.followed_log import read_until
from treaty.testing.suites.quarantine import kept
from treaty.testing.world import ManualClock, SeededChance, embedded


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def stores(clock: ManualClock) -> MemoryStores:
    return MemoryStores(Surroundings(clock=clock, chance=SeededChance()))


@pytest.fixture
def gauges(stores: MemoryStores, clock: ManualClock) -> Gauges:
    service = Service(name="test.bank", api=bare_api("test.bank.v1.Bank"))
    return Gauges(
        service=service, stores=stores, followers=["relay"], surroundings=Surroundings(clock=clock, probe=Recorder())
    )


async def told(gauges: Gauges) -> dict[str, float]:
    probe = gauges.surroundings.probe
    assert isinstance(probe, Recorder)
    await gauges.tell()
    return {name.removeprefix("treaty."): round(value) for name, value in probe.gauges.items()}


async def test_nothing_waits_in_a_new_context(gauges: Gauges) -> None:
    found = await told(gauges)
    assert found == {
        "follower.lag": 0,
        "pending.size": 0,
        "pending.age": 0,
        "quarantine.age": 0,
        "holes.open": 0,
        "holes.strays": 0,
        "duplicates.open": 0,
    }


async def test_a_stream_is_held_back_until_its_hole_is_closed(gauges: Gauges, stores: MemoryStores) -> None:
    stores.commits.spoil_next = True
    await stores.log.append(plain_commit("thing-1"))
    await read_until(stores.log, Place(), lambda batches: bool(batches[-1].place.token))
    assert (await told(gauges))["holes.open"] == 1
    await skip(stores.log, plain_commit("thing-1").id, by="ann", reason="of no use")
    assert (await told(gauges))["holes.open"] == 0


async def test_a_process_whose_clock_is_wrong_tells_the_ages_by_the_clock_of_the_server(
    gauges: Gauges, stores: MemoryStores, clock: ManualClock
) -> None:
    await stores.log.append(plain_commit("thing-1"))
    await stores.quarantine.add(kept("a", 1))
    clock.advance(300)
    right = await told(gauges)
    assert right["follower.lag"] == 300
    for wrong in (-3600.0, 3600.0):
        own = ManualClock(clock.now())
        own.advance(wrong)
        assert await told(replace(gauges, surroundings=replace(gauges.surroundings, clock=own))) == right


async def test_a_follower_lags_by_the_age_of_the_first_commit_it_has_not_done(
    gauges: Gauges, stores: MemoryStores, clock: ManualClock
) -> None:
    await stores.log.append(plain_commit("thing-1"))
    clock.advance(60)
    await stores.log.append(plain_commit("thing-2"))
    clock.advance(5)
    assert (await told(gauges))["follower.lag"] == 65
    first, second = await stores.log.peek(Place(), 2)
    await stores.checkpoints.save({"relay": Place("1", first.position)}, 1)
    assert (await told(gauges))["follower.lag"] == 5
    await stores.checkpoints.save({"relay": Place("2", second.position)}, 1)
    assert (await told(gauges))["follower.lag"] == 0


async def test_parked_work_and_the_quarantine_have_an_age(
    gauges: Gauges, stores: MemoryStores, clock: ManualClock
) -> None:
    since = clock.now() - timedelta(seconds=90)
    await stores.pending.add([Item(id="a@1", lane="a", kind="call", body={}, since=since)])
    await stores.quarantine.add(replace(kept("1", 1), since=since - timedelta(seconds=10)))
    found = await told(gauges)
    assert (found["pending.size"], found["pending.age"], found["quarantine.age"]) == (1, 90, 100)


@pytest.mark.slow
async def test_a_running_context_tells_them_with_its_stuck_sagas() -> None:
    probe = Recorder()
    async with embedded("commerce.ordering", probe=probe):
        await eventually(lambda: probe.gauges.get("treaty.saga.stuck") == 0)
        assert probe.gauges["treaty.follower.lag"] < 60
    assert probe.gauges.keys().isdisjoint({"treaty.saga.stuck", "treaty.follower.lag"}), "the next holder tells them"
