"""The audit of deliveries names exactly the events that the broker lost, and redelivery brings exactly those."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
import structlog
from treaty.clock import SystemClock
from treaty.memory.broker import MemoryBroker
from treaty.memory.commits import MemoryCommits
from treaty.memory.stores import MemoryStores
from treaty.messaging.broker import Topology
from treaty.messaging.quarantine import Intent
from treaty.messaging.replays import Replay
from treaty.operations.deliveries import Findings
from treaty.operations.redelivery import Redelivery
from treaty.testing import eventually
from treaty.testing.samples import NOON
from treaty.testing.world import ManualClock

from tests.toolkit.pair import HAPPENED, IGNORED, POISON, Pair, ids, nothing_waits

BANK = "made.bank"


@pytest.fixture
async def pair() -> Pair:
    """A pair whose audit has begun."""
    pair = Pair()
    async with pair.running():
        await pair.audit().round()
    return pair


def memory(pair: Pair) -> MemoryBroker:
    assert isinstance(pair.broker, MemoryBroker)
    return pair.broker


def commits_of(pair: Pair) -> MemoryCommits:
    assert isinstance(pair.bank, MemoryStores)
    return pair.bank.commits


def lose_queued(pair: Pair) -> Sequence[Mapping[str, object]]:
    return memory(pair).lose_queued(pair.topology.context)


async def lose(pair: Pair, *streams: str, body: bytes = HAPPENED) -> None:
    """Publishes an event of each stream, and loses it while nobody consumes."""
    async with pair.running(desk=False):
        await pair.commit(*streams, body=body)
        await eventually(pair.published)
    assert lose_queued(pair)


async def test_what_arrives_is_not_missing(pair: Pair) -> None:
    async with pair.running():
        await pair.commit("a-1", "a-2", "a-1")
        assert await nothing_waits(pair.audit()) == Findings()
        await eventually(lambda: len(pair.taken) == 6)


async def test_lost_messages_are_missing_and_redelivery_brings_exactly_those(pair: Pair) -> None:
    async with pair.running():
        await pair.commit("a-1", "a-2", "a-3")
        await eventually(lambda: len(pair.taken) == 6)
    await lose(pair, "a-1", "a-2", "a-1")
    async with pair.running():
        await pair.commit("a-1", "a-3")
        await eventually(lambda: len(pair.taken) == 10)
        audit = pair.audit()
        found = await nothing_waits(audit)
        assert sorted(ids(found)) == ["a-1@2#1", "a-1@3#1", "a-2@2#1"]
        assert pair.probe.gauges["treaty.audit.missing"] == 3
        assert await pair.redelivery().deliver(found.missing) == 3
        assert await nothing_waits(audit) == Findings()
        assert pair.probe.gauges["treaty.audit.missing"] == 0
    assert [cause for cause in pair.taken[10:] if "a-1" in cause] == [
        f"{BANK}/a-1@{version}#1/{name}" for version in (2, 3) for name in ("Happened", "Second")
    ]
    assert len(pair.taken) == len(set(pair.taken)) == 16


async def test_what_is_missing_stays_so_in_later_audits_until_it_is_there(pair: Pair) -> None:
    await lose(pair, "a-1")
    async with pair.running():
        assert ids(await nothing_waits(pair.audit())) == ["a-1@1#1"]
    async with pair.running():
        assert ids(await nothing_waits(pair.audit())) == ["a-1@1#1"]


async def test_what_nobody_reads_is_not_missing_but_unread(pair: Pair) -> None:
    async with pair.running(desk=False):
        await pair.commit("a-1")
        await eventually(pair.published)
        found = await pair.audit(patience=0.0).round()
        assert (found.missing, found.waiting, found.unread) == ((), 1, [0, 1])
        assert pair.probe.gauges["treaty.audit.unread"] == 2
        assert len(memory(pair).inbox(pair.topology.context)) == 3
    async with pair.running():
        assert await nothing_waits(pair.audit()) == Findings()


async def test_what_is_not_published_yet_is_not_missing(pair: Pair) -> None:
    async with pair.running():
        memory(pair).away = True
        await pair.commit("a-1")
        found = await pair.audit().round()
        assert (found.missing, found.waiting, found.unread) == ((), 1, ())
        memory(pair).away = False
        assert await nothing_waits(pair.audit()) == Findings()


async def test_what_the_broker_does_not_accept_is_not_missing(pair: Pair) -> None:
    memory(pair).refused.add("a-1@1#1")
    async with pair.running():
        await pair.commit("a-1", "a-2")
        await eventually(pair.bank.pending.lanes)
        audit = pair.audit()
        await eventually(lambda: len(pair.taken) == 2)
        found = await audit.round()
        assert (found.missing, found.waiting) == ((), 1)
        memory(pair).refused.clear()


async def test_what_is_in_quarantine_or_was_discarded_is_not_missing(pair: Pair) -> None:
    async with pair.running():
        await pair.commit("a-1", "a-2", body=POISON)
        await eventually(lambda: quarantined(pair, 2))
        await pair.desk.quarantine.intend(f"{BANK}/a-2@1#1", Intent(action="discard", reason="no", at=NOON))
        await eventually(lambda: quarantined(pair, 1))
        assert await nothing_waits(pair.audit()) == Findings()
        assert await nothing_waits(pair.audit()) == Findings()


async def quarantined(pair: Pair, count: int) -> bool:
    return len(await pair.desk.quarantine.find()) == count


async def test_what_the_translation_ignores_is_not_missing(pair: Pair) -> None:
    await lose(pair, "a-1", body=IGNORED)
    async with pair.running():
        assert await nothing_waits(pair.audit()) == Findings()


async def test_a_subscription_that_may_commit_nothing_is_left_out(pair: Pair) -> None:
    await lose(pair, "a-1")
    pair.subscriptions = [replace(one, commits=False) for one in pair.subscriptions]
    async with pair.running():
        assert await nothing_waits(pair.audit()) == Findings()


async def test_what_an_open_replay_will_deliver_is_not_missing(pair: Pair) -> None:
    await lose(pair, "a-1")
    replay = Replay(id="r-1", producer=BANK, types=[pair.type("Happened")], partitions=2, reason="", by="ann", at=NOON)
    await pair.desk.replays.add(replay)
    async with pair.running():
        found = await pair.audit().round()
        assert (found.missing, found.waiting) == ((), 1)
        await pair.desk.replays.abandon("r-1")
        assert ids(await nothing_waits(pair.audit())) == ["a-1@1#1"]


async def test_a_young_event_is_not_looked_into(pair: Pair) -> None:
    await lose(pair, "a-1")
    async with pair.running():
        assert await pair.audit(grace=600).round() == Findings()


async def test_the_audit_begins_with_the_first_event_after_it_met_a_type(pair: Pair) -> None:
    await pair.commit("a-1", type="Other")
    pair.subscriptions.append(pair.subscription("Other", "Other"))
    async with pair.running():
        assert await nothing_waits(pair.audit()) == Findings()
        await eventually(pair.published)
    async with pair.running(desk=False):
        await pair.commit("a-1", type="Other")
        await eventually(pair.published)
    assert lose_queued(pair)
    async with pair.running():
        assert ids(await nothing_waits(pair.audit())) == ["a-1@2#1"]


async def test_a_scan_after_a_lost_place_finds_the_same(pair: Pair) -> None:
    await lose(pair, "a-1", "a-2", "a-1", "a-3", "a-4", "a-5", "a-6")
    async with pair.running():
        commits_of(pair).history_lost = True
        assert len(ids(await nothing_waits(pair.audit()))) == 7


async def test_a_mark_that_is_lost_too_is_put_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treaty.operations.deliveries._MARK_AGAIN_SECONDS", 0.0)
    await lose(pair, "a-1")
    audit = pair.audit(patience=0.0)
    assert (await audit.round()).unread == [0, 1]
    assert len(lose_queued(pair)) == 2
    async with pair.running():
        audit.patience = 20.0
        assert ids(await nothing_waits(audit)) == ["a-1@1#1"]


async def test_the_place_passes_an_event_only_when_there_is_a_trace_of_it(pair: Pair) -> None:
    name = f"audit of {BANK}"
    before = (await pair.desk.checkpoints.load())[name]
    await lose(pair, "a-1")
    async with pair.running():
        await pair.commit("a-2")
        await eventually(lambda: len(pair.taken) == 2)
        audit = pair.audit()
        found = await nothing_waits(audit)
        assert (await pair.desk.checkpoints.load())[name] == before
        await pair.redelivery().deliver(found.missing)
        await nothing_waits(audit)
        assert (await pair.desk.checkpoints.load())[name] == await pair.bank.log.end()


async def test_an_unreadable_commit_holds_up_the_later_events_of_its_stream_only(pair: Pair) -> None:
    await lose(pair, "a-1", "a-2", "a-1", "a-1")
    async with pair.running():
        found = await nothing_waits(pair.audit())
        commits_of(pair).spoil("a-1@000000000002")
        redelivery = pair.redelivery()
        assert await redelivery.deliver(found.missing) == 2
        assert await redelivery.deliver(found.missing) == 0
        assert delivered(pair) == {"a-1@1#1", "a-2@1#1"}
        assert len(await pair.desk.replays.find()) == 1, "no replay for events that must wait"
        commits_of(pair).unreadable.clear()
        assert await redelivery.deliver(found.missing) == 2
        assert delivered(pair) == {"a-1@1#1", "a-2@1#1", "a-1@2#1", "a-1@3#1"}


def delivered(pair: Pair) -> set[str]:
    return {cause.split("/")[1] for cause in pair.taken}


def impatient(pair: Pair, clock: ManualClock) -> Redelivery:
    redelivery = pair.redelivery()
    redelivery.seconds = 0.3
    redelivery.surroundings = replace(redelivery.surroundings, clock=clock)
    return redelivery


def lose_ends(pair: Pair, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Loses the next ends of replays, as a policy on the queue does after the broker has confirmed them."""
    end, lost = pair.broker.end_replay, list[str]()

    async def lossy(topology: Topology, partition: int, replay: str) -> None:
        if len(lost) < most and not replay.startswith(("inbox", "audit")):
            lost.append(replay)
        else:
            await end(topology, partition, replay)

    monkeypatch.setattr(pair.broker, "end_replay", lossy)


async def test_an_end_that_is_lost_is_put_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    await lose(pair, "a-1")
    async with pair.running():
        found = await nothing_waits(pair.audit())
        lose_ends(pair, monkeypatch, 2)
        assert await impatient(pair, ManualClock(SystemClock().now())).deliver(found.missing) == 1
        assert not await pair.desk.replays.open()


async def test_a_redelivery_whose_ends_are_lost_says_so_and_is_ended_in_a_later_round(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lose(pair, "a-1")
    async with pair.running():
        found = await nothing_waits(pair.audit())
        lose_ends(pair, monkeypatch, 4)
        redelivery = impatient(pair, ManualClock(SystemClock().now()))
        with structlog.testing.capture_logs() as logs:
            await redelivery.deliver(found.missing)
        events = [entry["event"] for entry in logs]
        assert "missing events were delivered again" not in events
        assert "missing events were delivered again, but the end of their replay did not arrive" in events
        assert len(await pair.desk.replays.open()) == 1
        await redelivery.deliver([])
        await eventually(lambda: no_replay_is_open(pair))


async def no_replay_is_open(pair: Pair) -> bool:
    return not await pair.desk.replays.open()


async def test_a_redelivery_that_does_not_end_is_given_up_and_repeated_once(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lose(pair, "a-1")
    async with pair.running():
        found = await nothing_waits(pair.audit())
        lose_ends(pair, monkeypatch, 1_000)
        clock = ManualClock(SystemClock().now())
        redelivery = impatient(pair, clock)
        counts = []
        for _ in range(4):
            counts.append(await redelivery.deliver(found.missing))
            clock.advance(660)
        assert counts == [1, 1, 0, 0]
        assert not await pair.desk.replays.open()
        assert delivered(pair) == {"a-1@1#1"}
