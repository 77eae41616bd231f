"""How replays end: with another owner, given up, in vain, or although the broker was away."""

import asyncio
from functools import partial

import pytest
from treaty.domain import Conflict, Rejected
from treaty.messaging.envelope import envelopes
from treaty.testing import eventually

from tests.toolkit.office import PRODUCER, Office, has_status, held, status, wished
from tests.toolkit.pieces import DESK, publishing


@pytest.fixture
async def office() -> Office:
    return await Office().declared()


async def test_the_owner_may_change_in_the_middle(office: Office) -> None:
    for _ in range(4):
        await office.commit("a-1", "a-2")
    office.desk.gates["a-1@3#1"] = asyncio.Event()
    async with office.consuming():
        replay = asyncio.create_task(office.replay())
        await eventually(lambda: "a-1@3#1" in office.desk.started)
        await office.commit("a-1", "a-3", live=True)
        await eventually(lambda: held(office, 1))
    office.desk.gates.clear()
    await office.commit("a-1", "a-2", live=True)
    async with office.consuming():
        await replay
        await office.settled()
    assert office.everything_in_order()


async def test_an_owner_that_ends_between_the_end_and_the_release_leaves_it_to_the_next(office: Office) -> None:
    await office.commit("a-1")
    await office.replaying().run(wished())
    await office.commit("a-1", live=True)
    office.desk.gates["a-1@2#1"] = asyncio.Event()
    async with office.consuming():
        assert await office.replaying().left("r-1") == []
        await eventually(lambda: "a-1@2#1" in office.desk.started)
    office.desk.gates.clear()
    async with office.consuming():
        await office.settled()
    assert office.everything_in_order()


async def test_what_waits_for_an_abandoned_replay_goes_on(office: Office) -> None:
    await office.commit("a-1", "a-2")
    gate = office.desk.gates["a-2@1#1"] = asyncio.Event()
    async with office.consuming():
        replay = asyncio.create_task(office.replaying().run(wished()))
        await eventually(lambda: "a-2@1#1" in office.desk.started)
        await office.commit("a-1", live=True)
        await office.commit("a-3", live=True)
        await eventually(lambda: office.taken("a-1"))
        await office.desk.replays.abandon("r-1")
        gate.set()
        await replay
        await office.settled()
    assert office.everything_in_order()
    assert await status(office) == "abandoned"


async def test_an_owner_that_was_late_to_renew_its_lease_does_not_go_on_without_knowing_of_the_replay(
    office: Office,
) -> None:
    leases = office.leases.leases
    await office.commit("a-1")
    await leases.acquire("p0", "ann", 1.0)
    office.desk.clock.advance(10)
    assert await office.replaying().run(wished()) == 1
    assert await leases.renew({"p0": "ann"}, 60) == []
    assert await leases.acquire("p0", "joe", 60) is not None, "the next owner need not wait"


async def test_an_owner_that_knows_nothing_of_a_replay_looks_before_it_passes_its_events_over(office: Office) -> None:
    await office.commit("a-1", live=True)
    await office.commit("a-1", "a-2")
    async with office.consuming():
        await eventually(lambda: office.taken("a-1"))
        await office.desk.replays.add(wished())
        for stream, version in (("a-1", 1), ("a-1", 2), ("a-2", 1)):
            [envelope] = envelopes(publishing(stream, version), context=PRODUCER)
            await office.desk.broker.redeliver(DESK, envelope, "r-1")
        await office.settled()
        await office.desk.broker.end_replay(DESK, 0, "r-1")
        assert await office.replaying().left("r-1") == []
    assert office.everything_in_order()


async def test_what_is_left_of_an_abandoned_replay_is_passed_over(office: Office) -> None:
    await office.commit("a-1")
    await office.replaying().run(wished())
    await office.desk.replays.abandon("r-1")
    async with office.consuming():
        await office.settled()
    assert office.desk.started == []


async def test_a_replay_that_is_abandoned_ends_the_command(office: Office) -> None:
    await office.commit("a-1")
    await office.leases.leases.acquire("p0", "ann", 60)
    replay = asyncio.create_task(office.replaying().run(wished()))
    await eventually(partial(has_status, office, "r-1", "holding"))
    await office.desk.replays.abandon("r-1")
    with pytest.raises(Conflict, match="was abandoned"):
        await replay


async def test_nothing_is_delivered_while_an_owner_does_not_hold(office: Office) -> None:
    await office.commit("a-1")
    await office.leases.leases.acquire("p0", "of an older version", 60)
    with pytest.raises(Rejected, match=r"test\.desk\.q0 did not begin"):
        await office.replaying(seconds=0.05).run(wished())
    assert await office.desk.broker.queued(DESK) == 0
    assert await status(office) == "abandoned"


async def test_a_replay_that_nobody_takes_tells_which_partitions_are_left(office: Office) -> None:
    await office.commit("a-1")
    await office.replaying().run(wished())
    assert await office.replaying(seconds=0.05).left("r-1") == [0]
    with pytest.raises(Conflict):
        await office.replaying().run(wished("r-2"))


async def test_a_broker_that_is_away_for_a_while_is_waited_for(office: Office) -> None:
    await office.commit("a-1", "a-1", "a-2")
    async with office.consuming():
        office.desk.broker.away = True
        replay = asyncio.create_task(office.replay())
        await asyncio.sleep(0)
        office.desk.broker.away = False
        office.desk.broker.twice = True
        assert await replay == 3
        await office.settled()
    assert office.everything_in_order()
