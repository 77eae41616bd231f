"""The relay: every integration event reaches the broker, in order for each stream, whatever the broker says."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from treaty.commits.commit import Commit
from treaty.commits.log import Place, StoreAway
from treaty.concurrency.tasks import Broken, ended
from treaty.followers.pending import Item
from treaty.followers.pending_work import PendingWork
from treaty.followers.relay import Relay
from treaty.memory.broker import MemoryBroker
from treaty.memory.leases import MemoryCheckpoints
from treaty.messaging.envelope import Envelope, envelopes
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.recorder import Recorder
from treaty.testing.world import SeededChance

from tests.toolkit.pieces import BANK, DESK, Parking, publishing, running


class Forgetful(MemoryCheckpoints):
    """Cannot be reached while it `fails`."""

    fails = False

    async def save(self, places: Mapping[str, Place], epoch: int) -> None:
        if self.fails:
            raise StoreAway("not now")
        await super().save(places, epoch)


@dataclass(slots=True)
class Wire:
    """A relay with a broker behind it."""

    broker: MemoryBroker = field(default_factory=MemoryBroker)
    parking: Parking = field(default_factory=Parking)
    probe: Recorder = field(default_factory=Recorder)
    checkpoints: Forgetful = field(default_factory=Forgetful)
    pending: PendingWork = field(init=False)
    relay: Relay = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, **known: Any) -> None:
        """Makes the relay anew, as another process does."""
        self.pending = self.parking.work(lambda item: self.relay.run_item(item))
        self.relay = Relay(
            BANK,
            self.broker,
            self.pending,
            self.checkpoints,
            environment="test",
            surroundings=Surroundings(chance=SeededChance(scale=0.01), probe=self.probe),
            **known,
        )

    async def take(self, *commits: Commit) -> None:
        work = self.relay.take(commits, 1)
        assert work is not None
        await work

    @property
    def published(self) -> list[str]:
        return [event.id for event in self.broker.published]


@pytest.fixture
async def wire() -> Wire:
    wire = Wire()
    await wire.broker.declare(DESK)
    return wire


def id_of(stream: str, version: int, n: int = 1) -> str:
    return f"{stream}@{version}#{n}"


async def test_every_event_is_published_in_the_order_of_its_stream(wire: Wire) -> None:
    commits = [publishing(f"thing-{n}", version, events=2) for version in (1, 2, 3) for n in range(20)]
    await wire.take(*commits)
    for n in range(20):
        expected = [id_of(f"thing-{n}", version, k) for version in (1, 2, 3) for k in (1, 2)]
        assert [id for id in wire.published if id.startswith(f"thing-{n}@")] == expected


async def test_an_event_is_published_as_its_commit_says(wire: Wire) -> None:
    commit = publishing("thing-1", 3)
    await wire.take(commit)
    assert wire.broker.published == list(envelopes(commit, context="test.bank", environment="test"))


async def test_commits_without_integration_events_are_passed(wire: Wire) -> None:
    assert wire.relay.take([publishing("thing-1", 1, events=0)], 1) is None


async def test_while_the_broker_is_away_the_relay_waits_and_then_goes_on_in_order(wire: Wire) -> None:
    wire.broker.away = True
    work = asyncio.ensure_future(wire.take(*(publishing("thing-1", version) for version in (1, 2, 3))))
    await eventually(lambda: wire.probe.counts["treaty.relay.retries"] >= 3)
    assert not work.done()
    wire.broker.away = False
    await work
    assert wire.published == [id_of("thing-1", version) for version in (1, 2, 3)]
    assert await wire.parking.is_empty()


async def test_what_the_broker_does_not_accept_is_parked_with_its_successors_in_order(wire: Wire) -> None:
    wire.broker.refused.add(id_of("thing-1", 1))
    await wire.take(publishing("thing-1", 1), publishing("thing-1", 2), publishing("thing-2", 1))
    await wire.take(publishing("thing-1", 3))
    assert wire.published == [id_of("thing-2", 1)]
    wire.broker.refused.clear()
    async with running(wire.pending.work()):
        await eventually(wire.parking.is_empty)
    assert wire.published[1:] == [id_of("thing-1", version) for version in (1, 2, 3)]


async def test_a_parked_event_keeps_its_successors_behind_it_until_it_is_accepted(wire: Wire) -> None:
    wire.broker.refused.add(id_of("thing-1", 1))
    await wire.take(publishing("thing-1", 1), publishing("thing-1", 2))
    async with running(wire.pending.work()):
        for _ in range(3):
            wire.parking.clock.advance(60)
            retries = wire.parking.probe.counts["treaty.pending.retries"]
            await eventually(lambda seen=retries: wire.parking.probe.counts["treaty.pending.retries"] > seen)  # type: ignore[misc]
        assert not wire.published
        wire.broker.refused.clear()
        wire.parking.clock.advance(60)
        await eventually(wire.parking.is_empty)
    assert wire.published == [id_of("thing-1", 1), id_of("thing-1", 2)]


async def test_a_stream_is_published_directly_again_once_nothing_of_it_is_parked(wire: Wire) -> None:
    wire.broker.refused.add(id_of("thing-1", 1))
    await wire.take(publishing("thing-1", 1))
    wire.broker.refused.clear()
    async with running(wire.pending.work()):
        await eventually(wire.parking.is_empty)
        await eventually(lambda: not wire.pending.parked("events of thing-1"))
    await wire.take(publishing("thing-1", 2))
    assert wire.published == [id_of("thing-1", 1), id_of("thing-1", 2)]


async def test_nothing_overtakes_an_event_that_is_parked_even_if_another_one_got_through(wire: Wire) -> None:
    wire.broker.refused |= {id_of("thing-1", 1), id_of("thing-1", 2)}
    await wire.take(publishing("thing-1", 1), publishing("thing-1", 2))
    wire.broker.refused.remove(id_of("thing-1", 1))
    async with running(wire.pending.work()):
        await eventually(lambda: wire.parking.probe.counts["treaty.pending.retries"])
        await wire.take(publishing("thing-1", 3))
        assert wire.published == [id_of("thing-1", 1)]
        wire.broker.refused.clear()
        wire.parking.clock.advance(60)
        await eventually(wire.parking.is_empty)
    assert wire.published == [id_of("thing-1", version) for version in (1, 2, 3)]


async def test_after_a_restart_parked_events_still_go_first_and_block_nothing_later(wire: Wire) -> None:
    wire.broker.refused.add(id_of("thing-1", 1))
    commits = [publishing("thing-1", 1), publishing("thing-1", 2)]
    await wire.take(*commits)
    wire.restart()
    await wire.pending.load()
    wire.broker.refused.clear()
    await wire.take(*commits, publishing("thing-1", 3))  # the checkpoint was behind: two of them are read again
    assert not wire.published
    async with running(wire.pending.work()):
        await eventually(wire.parking.is_empty)
    assert wire.published == [id_of("thing-1", version) for version in (1, 2, 3)]
    await wire.take(publishing("thing-1", 4))
    assert wire.published[-1] == id_of("thing-1", 4)


async def test_a_call_that_waits_does_not_hold_the_events_of_its_stream(wire: Wire) -> None:
    await wire.pending.park(Item(id="thing-1@000000000001!0000", lane="calls of thing-1", kind="call", body={}))
    await wire.take(publishing("thing-1", 1))
    assert wire.published == [id_of("thing-1", 1)]


async def test_a_binding_that_was_lost_is_waited_for_also_by_the_next_process(wire: Wire) -> None:
    await wire.take(publishing("thing-1", 1))
    wire.broker.unbind()
    wire.restart()
    await wire.relay.load()
    work = asyncio.ensure_future(wire.take(publishing("thing-1", 2), publishing("thing-1", 3)))
    await eventually(lambda: wire.probe.counts["treaty.relay.unroutable"] >= 3)
    assert not work.done()
    await wire.broker.declare(DESK)
    await work
    arrived = [id for n, id in enumerate(wire.published) if id not in wire.published[n + 1 :]]
    assert arrived == [id_of("thing-1", version) for version in (1, 2, 3)]


async def test_a_binding_that_stays_away_is_not_waited_for_for_ever(wire: Wire) -> None:
    wire.restart(unbound_seconds=0.02)
    await wire.take(publishing("thing-1", 1))
    wire.broker.unbind()
    await wire.take(publishing("thing-1", 2), publishing("thing-2", 1))
    assert await wire.parking.is_empty()


async def test_an_event_that_nobody_wants_is_counted_and_passed() -> None:
    wire = Wire()
    await wire.take(publishing("thing-1", 1), publishing("thing-1", 2))
    assert wire.probe.counts["treaty.relay.unroutable"] == 2
    assert await wire.parking.is_empty()


class EndingBroker(MemoryBroker):
    """Confirms an event just when the store goes away, and the process ends."""

    def __init__(self, checkpoints: Forgetful) -> None:
        super().__init__()
        self._checkpoints = checkpoints

    async def publish(self, exchange: str, event: Envelope) -> None:
        await super().publish(exchange, event)
        self._checkpoints.fails = True


async def test_a_binding_is_known_even_if_the_process_ends_with_its_first_event() -> None:
    checkpoints = Forgetful()
    wire = Wire(broker=EndingBroker(checkpoints), checkpoints=checkpoints)
    await wire.broker.declare(DESK)
    with contextlib.suppress(StoreAway):
        await wire.take(publishing("thing-1", 1))
    checkpoints.fails = False
    wire.broker.unbind()
    wire.restart()
    await wire.relay.load()
    async with running(wire.take(publishing("thing-1", 2))):
        await eventually(lambda: wire.probe.counts["treaty.relay.unroutable"] >= 2)
        await wire.broker.declare(DESK)
        await eventually(lambda: id_of("thing-1", 2) in wire.published)


async def test_a_type_that_got_its_first_binding_later_is_waited_for_too(wire: Wire) -> None:
    wire.broker.unbind()
    await wire.take(publishing("thing-1", 1))
    assert not await wire.checkpoints.load()
    await wire.broker.declare(DESK)
    await wire.take(publishing("thing-1", 2))
    assert [*await wire.checkpoints.load()] == ["routed test.bank.v1.Happened"]


class CountingBroker(MemoryBroker):
    """Counts the events of each stream that are on their way at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.together = 0

    async def publish(self, exchange: str, event: Envelope) -> None:
        assert event.source not in self.open, "two events of one stream were on their way"
        self.open.append(event.source)
        self.together = max(self.together, len(self.open))
        await super().publish(exchange, event)
        self.open.remove(event.source)


async def test_one_event_of_a_stream_is_on_its_way_at_a_time_and_many_streams_are() -> None:
    wire = Wire(CountingBroker())
    await wire.broker.declare(DESK)
    await wire.take(*(publishing(f"thing-{n}", version) for version in (1, 2) for n in range(20)))
    assert isinstance(wire.broker, CountingBroker)
    assert wire.broker.together == 20


async def test_when_the_relay_is_stopped_nothing_more_is_published(wire: Wire) -> None:
    wire.broker.away = True
    work = asyncio.ensure_future(wire.take(*(publishing("thing-1", version) for version in (1, 2))))
    await eventually(lambda: wire.probe.counts["treaty.relay.retries"])
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_batch_that_is_given_up_before_it_began_is_never_published(wire: Wire) -> None:
    works = [asyncio.ensure_future(wire.take(publishing("thing-1", version))) for version in (1, 2)]
    await asyncio.sleep(0)
    given_up = [wire.relay.take([publishing(f"thing-{n}", 1)], 1) for n in (2, 3)]
    await ended([asyncio.ensure_future(work) for work in given_up if work is not None])
    await asyncio.gather(*works)
    wire.relay.begin()
    await wire.take(publishing("thing-4", 1))
    assert wire.published == [id_of("thing-1", 1), id_of("thing-1", 2), id_of("thing-4", 1)]


async def test_the_lag_of_the_outbox_is_told_also_while_the_broker_is_away(wire: Wire) -> None:
    wire.broker.away = True
    async with running(wire.take(publishing("thing-1", 1))):
        await eventually(lambda: wire.probe.gauges.get("treaty.outbox.lag", 0.0) > 0)
        assert wire.published == []
        wire.broker.away = False
        await eventually(lambda: len(wire.published) == 1)


async def test_a_broker_client_that_cancels_from_within_does_not_stop_the_stream(wire: Wire) -> None:
    publish, cancelled = wire.broker.publish, list[str]()

    async def cancels(exchange: str, envelope: Envelope) -> None:
        if not cancelled:
            cancelled.append(envelope.id)
            raise asyncio.CancelledError
        await publish(exchange, envelope)

    wire.broker.publish = cancels  # type: ignore[method-assign]
    commits = [publishing("thing-1", version) for version in (1, 2)]
    with pytest.raises(Broken):
        await asyncio.wait_for(wire.take(*commits), 5)
    assert not wire.published
    wire.relay.begin()
    await wire.take(*commits)
    assert wire.published == [id_of("thing-1", version) for version in (1, 2)]


async def test_after_a_failure_nothing_of_a_later_commit_is_published(wire: Wire) -> None:
    wire.checkpoints.fails = True
    with pytest.raises(StoreAway):
        await wire.take(publishing("thing-1", 1, events=3), publishing("thing-1", 2))
    await asyncio.sleep(0)
    assert wire.published == []
