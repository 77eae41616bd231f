"""Replays: history comes to one consumer while live traffic goes on; each key in order, each event once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from treaty.commits.commit import Commit
from treaty.messaging.broker import exchange_of
from treaty.messaging.envelope import Envelope, envelopes
from treaty.messaging.quarantine import Intent
from treaty.testing import eventually
from treaty.testing.samples import NOON

from tests.toolkit.office import PRODUCER, Office, held, holds, status, wished
from tests.toolkit.pieces import DESK, publishing


@pytest.fixture
async def office() -> Office:
    return await Office().declared()


async def test_a_new_subscriber_takes_history_and_live_events_in_order(office: Office) -> None:
    for _ in range(50):
        await office.commit("a-1", "a-2", "a-3")
    over = asyncio.Event()

    async def live() -> None:
        while not over.is_set():
            await office.commit("a-1", "a-3", "a-4", live=True)
            await asyncio.sleep(0)

    traffic = asyncio.create_task(live())
    replay = asyncio.create_task(office.replay())
    await eventually(office.desk.replays.open)
    async with office.consuming():
        try:
            assert await replay >= 150
        finally:
            over.set()
            await traffic
        await office.settled()
    assert await status(office) == "done"
    assert office.everything_in_order()


async def test_before_anybody_consumes_a_replay_comes_first_and_everything_is_in_order(office: Office) -> None:
    for _ in range(30):
        await office.commit("a-1", "a-2", "a-3")
    await office.commit("a-1", "a-4", live=True)
    delivered = await office.replaying().run(wished())
    assert delivered == 92
    await office.commit("a-1", "a-2", "a-4", "a-4", live=True)
    async with office.consuming():
        await office.settled()
        assert await office.replaying().left("r-1") == []
    assert office.everything_in_order()
    assert office.desk.started == office.desk.done


async def test_what_comes_live_waits_while_history_is_on_its_way(office: Office) -> None:
    for _ in range(3):
        await office.commit("a-1", "a-2")
    async with office.consuming():
        await office.desk.replays.add(wished())
        await eventually(lambda: holds(office))
        await office.commit("a-1", "a-3", live=True)
        await eventually(lambda: held(office, 2))
        [first, _] = await office.desk.quarantine.find()
        assert (first.error, first.waits_for, first.next_try) == ("", "r-1", None)
        assert office.desk.started == []
        await office.desk.replays.abandon("r-1")
        await office.replay(wished("r-2"))
        await office.settled()
    assert "r-1" not in {known.id for known in await office.desk.replays.open()}


async def test_while_history_comes_live_events_of_its_streams_are_behind_it(office: Office) -> None:
    for _ in range(5):
        await office.commit("a-1", "a-2")
    gate = office.desk.gates["a-1@3#1"] = asyncio.Event()
    async with office.consuming():
        replay = asyncio.create_task(office.replay())
        await eventually(lambda: "a-1@3#1" in office.desk.started)
        await office.commit("a-1", "a-2", "a-1", live=True)
        await office.desk.broker.publish(exchange_of(PRODUCER), other("thing", key="1"))
        gate.set()
        await replay
        await office.settled()
    assert office.everything_in_order()
    assert office.desk.done.index("thing") > office.desk.done.index("a-1@6#1")


def other(id: str, *, key: str) -> Envelope:
    """Returns a live event of another stream whose key is that of one that is replayed."""
    [envelope] = envelopes(publishing("b-9", 1), context=PRODUCER)
    return replace(envelope, id=id, partition_key=key)


async def test_only_the_streams_that_were_asked_for_come_and_wait(office: Office) -> None:
    await office.commit("a-1", "a-2", "a-1")
    async with office.consuming():
        assert await office.replay(wished(streams=["a-1"])) == 2
        await office.settled()
    assert office.desk.done == office.all_of("a-1")


async def test_a_stream_that_is_longer_than_one_reading_comes_whole(office: Office) -> None:
    await office.commit(*["a-1"] * 600)
    async with office.consuming():
        assert await office.replay(wished(streams=["a-1"])) == 600
        await office.settled()
    assert office.desk.done == office.all_of("a-1")


async def test_a_stream_on_which_commits_keep_coming_is_replayed_up_to_where_it_was(office: Office) -> None:
    await office.commit(*["a-1"] * 300)
    read = office.bank.log.read

    async def read_while_it_grows(stream: str, **wanted: Any) -> Sequence[Commit]:
        await office.commit(*["a-1"] * 300, live=True)
        return await read(stream, **wanted)

    office.bank.log.read = read_while_it_grows
    async with office.consuming():
        assert await office.replay(wished(streams=["a-1"])) == 300
        await office.settled()
    assert office.desk.done == office.all_of("a-1")


async def test_only_what_was_committed_in_the_time_comes(office: Office) -> None:
    for _ in range(4):
        await office.commit("a-1")
        office.desk.clock.advance(60)
    at = office.desk.clock.now()
    wish = replace(wished(), since=at.replace(minute=at.minute - 3), until=at.replace(minute=at.minute - 2))
    async with office.consuming():
        assert await office.replay(wish) == 2
        await office.settled()
    assert office.desk.done == ["a-1@2#1", "a-1@3#1"]


async def test_a_consumer_that_missed_events_is_repaired(office: Office) -> None:
    async with office.consuming():
        await office.commit("a-1", "a-2", live=True)
        await office.commit("a-1")  # lost on its way
        await office.settled()
        await office.replay()
        await office.commit("a-1", "a-2", live=True)
        await office.settled()
    assert office.everything_in_order()


async def test_a_repeated_replay_changes_nothing(office: Office) -> None:
    await office.commit("a-1", "a-2", "a-1")
    async with office.consuming():
        await office.replay()
        before = list(office.desk.done)
        assert await office.replay(wished("r-2")) == 3
        await office.settled()
    assert office.desk.done == before


async def test_a_replayed_message_that_fails_holds_its_key_alone(office: Office) -> None:
    for _ in range(3):
        await office.commit("a-1", "a-2")
    office.desk.poison.add("a-1@2#1")
    gate = office.desk.gates["a-1@1#1"] = asyncio.Event()
    async with office.consuming():
        replay = asyncio.create_task(office.replay())
        await eventually(lambda: "a-1@1#1" in office.desk.started)
        await office.commit("a-1", "a-2", live=True)
        gate.set()
        await replay
        await eventually(lambda: held(office, 3))
        assert office.taken("a-1") == ["a-1@1#1"]
        assert office.taken("a-2") == office.all_of("a-2")
        failed = await office.desk.quarantine.get(f"{PRODUCER}/a-1@2#1")
        assert failed is not None
        assert failed.error == "ValueError: a-1@2#1 is poison"
        office.desk.poison.clear()
        await office.desk.quarantine.intend(failed.id, Intent(action="retry", reason="mended", at=NOON))
        await office.settled()
    assert office.everything_in_order()


async def test_a_live_event_that_fails_as_a_replay_begins_waits_for_its_end(office: Office) -> None:
    await office.commit("a-1")
    await office.commit("a-1", live=True)
    office.desk.poison.add("a-1@2#1")
    gate = office.desk.gates["a-1@2#1"] = asyncio.Event()
    async with office.consuming():
        await eventually(lambda: "a-1@2#1" in office.desk.started)
        await office.desk.replays.add(wished())
        await eventually(lambda: holds(office))
        gate.set()
        await eventually(lambda: held(office, 1))
        [failed] = await office.desk.quarantine.find()
        assert (failed.error[:10], failed.waits_for) == ("ValueError", "r-1")
        office.desk.poison.clear()
        await office.desk.quarantine.intend(failed.id, Intent(action="retry", reason="mended", at=NOON))
        for envelope in envelopes(publishing("a-1", 1), context=PRODUCER):
            await office.desk.broker.redeliver(DESK, envelope, "r-1")
        await office.desk.broker.end_replay(DESK, 0, "r-1")
        await office.settled()
    assert office.everything_in_order()
