"""Quarantine: a poison message waits there with all that follows on its key, in order; nothing else is held up."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

import pytest
from treaty.commits.codec import Newer
from treaty.dependencies import DependencyAway
from treaty.memory.quarantine import MemoryQuarantine
from treaty.messaging.envelope import Envelope, parse
from treaty.messaging.quarantine import AWAY_AT_MOST, SCHEDULE, Intent, Quarantined
from treaty.testing import eventually
from treaty.testing.samples import NOON, envelope

from tests.toolkit.pieces import DESK, Desk, of, running


async def test_a_poison_message_moves_with_what_follows_on_its_key_and_other_keys_flow(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
    assert await desk.held() == ["a1", "a2", "a3"]
    assert desk.done == ["b1", "b2"]
    assert desk.started.count("a1") == 3
    assert "a2" not in desk.started


async def test_quarantine_tells_why_since_when_and_when_it_tries_again(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
    first, second, _ = await desk.quarantine.find()
    assert first.error == "ValueError: a1 is poison"
    assert "Traceback" in (await desk.known("a1")).detail
    assert (first.since, first.next_try) == (desk.clock.now(), desk.clock.now() + timedelta(seconds=SCHEDULE[0]))
    assert first.envelope.id == "a1"
    assert (second.error, second.next_try) == ("", None)


async def test_what_comes_later_on_the_key_waits_behind(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
        desk.deliver("a4", "b3")
        await desk.idle()
    assert await desk.held() == ["a1", "a2", "a3", "a4"]
    assert of("b", desk.done) == ["b1", "b2", "b3"]


async def test_at_its_time_the_key_is_released_in_order(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
        desk.poison.clear()
        desk.clock.advance(SCHEDULE[0])
        await eventually(lambda: desk.holds_nothing())
        await eventually(lambda: of("a", desk.done) == ["a1", "a2", "a3"])
        desk.deliver("a4")
        await desk.idle()
    assert of("a", desk.done) == ["a1", "a2", "a3", "a4"]


async def test_an_outage_of_hours_leaves_no_message_to_a_person(desk: Desk) -> None:
    error: list[Exception] = [ValueError("as in the first tries")]

    async def handle(event: Envelope) -> None:
        desk.started.append(event.id)
        if event.id == "a1" and error:
            raise error[0]
        desk.done.append(event.id)

    async with running(desk.consumer(handle).run()):
        await desk.idle()
        error[0] = DependencyAway("the store is away")
        for round in range(3 * len(SCHEDULE)):
            before = (await desk.known("a1")).next_try
            desk.clock.advance(SCHEDULE[min(round, AWAY_AT_MOST)])
            await eventually(partial(_is_planned_anew, desk, before))
            assert (await desk.known("a1")).next_try is not None
        error.clear()
        desk.clock.advance(SCHEDULE[AWAY_AT_MOST])
        await eventually(lambda: desk.holds_nothing())
    assert of("a", desk.done) == ["a1", "a2", "a3"]


async def test_before_its_time_nothing_is_tried(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
        desk.poison.clear()
        desk.clock.advance(SCHEDULE[0] - 1)
        desk.probe.gauges.clear()
        await eventually(lambda: "treaty.quarantine.size" in desk.probe.gauges)
        assert await desk.held() == ["a1", "a2", "a3"]


async def test_release_stops_at_the_first_that_fails(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
        desk.poison = {"a2"}
        desk.clock.advance(SCHEDULE[0])
        await eventually(lambda: desk.was_tried("a2", 1))
    assert await desk.held() == ["a2", "a3"]
    assert of("a", desk.done) == ["a1"]
    assert (await desk.known("a2")).error == "ValueError: a2 is poison"


async def test_after_the_schedule_it_is_left_to_a_person(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
        for attempt, pause in enumerate(SCHEDULE, start=1):
            desk.clock.advance(pause)
            await eventually(lambda wanted=attempt: desk.was_tried("a1", wanted))  # type: ignore[misc]
    assert (await desk.known("a1")).next_try is None
    assert await desk.held() == ["a1", "a2", "a3"]


async def test_a_person_may_ask_for_a_retry_at_once(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
        desk.poison.clear()
        await desk.intend("a1", "retry")
        await eventually(lambda: desk.holds_nothing())
    assert of("a", desk.done) == ["a1", "a2", "a3"]


@pytest.mark.parametrize("asked", ["a1", "a2"])
async def test_a_retry_that_was_asked_for_is_one_attempt(desk: Desk, asked: str) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
        await desk.intend(asked, "retry")
        await eventually(lambda: desk.was_tried("a1", 1))
        await eventually(lambda: _is_answered(desk, asked))
        for _ in range(2):
            desk.probe.gauges.clear()
            await eventually(lambda: "treaty.quarantine.size" in desk.probe.gauges)
        assert (await desk.known("a1")).attempts == 1


async def _is_answered(desk: Desk, id: str) -> bool:
    return (await desk.known(id)).intent is None


async def test_a_discarded_message_stays_on_record_and_lets_the_others_through(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
        await desk.intend("a1", "discard")
        await eventually(lambda: desk.holds_nothing())
        await eventually(lambda: of("a", desk.done) == ["a2", "a3"])
        desk.deliver("a4")
        await desk.idle()
    assert of("a", desk.done) == ["a2", "a3", "a4"]
    known = await desk.known("a1")
    assert (known.discarded, known.envelope.id) == ("a person said so", "a1")


async def test_a_message_that_only_waits_may_be_discarded_too(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
        await desk.intend("a2", "discard")
        await eventually(lambda: _is_held(desk, ["a1", "a3"]))
        desk.poison.clear()
        await desk.intend("a1", "retry")
        await eventually(lambda: desk.holds_nothing())
    assert of("a", desk.done) == ["a1", "a3"]


async def _is_held(desk: Desk, wanted: list[str]) -> bool:
    return await desk.held() == wanted


async def test_a_duplicate_of_a_discarded_message_holds_nothing_up(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
        await desk.intend("a1", "discard")
        await eventually(lambda: of("a", desk.done) == ["a2", "a3"])
        desk.deliver("a1", "a4")
        await desk.idle()
    assert of("a", desk.done) == ["a2", "a3", "a4"]
    assert not await desk.held()


async def test_a_duplicate_of_what_is_in_quarantine_changes_nothing(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
        desk.deliver("a1", "a2")
        await desk.idle()
    assert await desk.held() == ["a1", "a2", "a3"]


async def test_the_next_owner_reads_the_quarantine_before_its_first_delivery(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
    desk.deliver("a4", "b3")
    desk.poison.clear()
    async with running(desk.consumer().run()):
        await desk.idle()
        assert await desk.held() == ["a1", "a2", "a3", "a4"]
        desk.clock.advance(SCHEDULE[0])
        await eventually(lambda: desk.holds_nothing())
    assert of("a", desk.done) == ["a1", "a2", "a3", "a4"]


async def test_a_release_that_a_lost_channel_cut_short_is_done_later(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
        desk.poison.clear()
        desk.gates["a2"] = asyncio.Event()
        await desk.intend("a1", "retry")
        await eventually(lambda: "a2" in desk.started)
        await desk.broker.lose_channels()
        desk.gates["a2"].set()
        desk.clock.advance(SCHEDULE[0])
        await desk.intend("a2", "retry")
        await eventually(lambda: desk.holds_nothing())
    assert of("a", desk.done) == ["a1", "a2", "a3"]


class SlowQuarantine(MemoryQuarantine):
    """Takes its time to write down the message a4."""

    def __init__(self) -> None:
        super().__init__()
        self.added, self.answering = 0, asyncio.Event()

    async def add(self, item: Quarantined) -> bool:
        if item.envelope.id == "a4":
            self.added += 1
            await self.answering.wait()
        return await super().add(item)


async def test_a_release_that_waited_in_its_lane_when_the_channel_was_lost_is_done_later() -> None:
    quarantine = SlowQuarantine()
    desk = await Desk(quarantine=quarantine, poison={"a1"}).declared()
    desk.deliver("a1", "a2")
    consumer = desk.consumer()
    async with running(consumer.run()):
        await desk.idle()
        desk.poison.clear()
        desk.deliver("a4")
        await eventually(lambda: quarantine.added == 1)
        await desk.intend("a1", "retry")
        await eventually(lambda: "a" in consumer._keeper._due._begun)
        await desk.broker.lose_channels()
        await eventually(lambda: quarantine.added == 2)
        quarantine.answering.set()
        await eventually(lambda: desk.holds_nothing())
        await desk.idle()
    assert of("a", desk.done) == ["a1", "a2", "a4"]


async def test_a_message_newer_than_the_code_is_not_tried_in_vain(desk: Desk) -> None:
    async def newer(event: Envelope) -> None:
        desk.started.append(event.id)
        raise Newer("it is from tomorrow")

    async with running(desk.consumer(newer).run()):
        await desk.idle()
    assert sorted(desk.started) == ["a1", "b1"]
    assert sorted(await desk.held()) == ["a1", "a2", "a3", "b1", "b2"]


async def test_an_unreadable_message_is_kept_with_what_is_behind_it_on_its_key(desk: Desk) -> None:
    broken = Envelope(
        id="", type="test.bank.v1.Happened", source="", subject="", time=NOON, partition_key="c", sequence="", body=b"?"
    )
    desk.broker.deliver(DESK.context, broken)
    desk.deliver("c1", "b3")
    async with running(desk.consumer().run()):
        await desk.idle()
    held = [item for item in await desk.quarantine.find() if item.key == "c"]
    assert [await _body(desk, item.id) for item in held] == [b"?", envelope("test.bank", "c1").body]
    assert "lacks the CloudEvents attributes id, source" in held[0].error
    assert "b3" in desk.done


async def test_a_message_that_the_next_version_can_read_is_handled_by_it_with_the_headers_that_it_came_with(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later(Envelope):
        def headers(self) -> dict[str, str]:
            return {**super().headers(), "ce-specversion": "1.1"}

    def next_version(headers: Mapping[str, object], body: bytes) -> Envelope:
        return parse({**headers, "ce-specversion": "1.0"}, body)

    event = envelope("test.bank", "c1", key="c")
    desk.broker.deliver(DESK.context, Later(**{name: getattr(event, name) for name in Envelope.__slots__}))
    desk.deliver("c2")
    async with running(desk.consumer().run()):
        await desk.idle()
    monkeypatch.setattr("treaty.messaging.quarantine.parse", next_version)
    async with running(desk.consumer().run()):
        await eventually(lambda: len(of("c", desk.done)) == 2)
    assert of("c", desk.done) == ["c1", "c2"]


async def test_an_error_that_quotes_what_cannot_be_stored_is_kept() -> None:
    desk = await Desk().declared()

    async def refuse(event: Envelope) -> None:
        raise ValueError("no \ud800")

    desk.deliver("a1")
    async with running(desk.consumer(refuse).run()):
        await desk.idle()
    known = await desk.known("a1")
    assert known.error == "ValueError: no ?"
    assert known.detail.encode()


async def test_what_waits_behind_nothing_is_released(desk: Desk) -> None:
    """As after an owner that ended when it had released the first of a key."""
    async with running(desk.consumer().run()):
        await desk.idle()
    await desk.quarantine.remove(await desk.known("a1"))
    async with running(desk.consumer().run()):
        await eventually(lambda: desk.holds_nothing())
    assert of("a", desk.done) == ["a2", "a3"]


async def test_two_messages_with_one_id_and_different_keys_are_both_kept() -> None:
    desk = await Desk(poison={"same"}).declared()
    for key in ("a", "b"):
        desk.broker.deliver(DESK.context, envelope("test.bank", "same", key=key))
    async with running(desk.consumer().run()):
        await desk.idle()
        items = await desk.quarantine.find()
        assert sorted((item.key, item.id) for item in items) == [("a", "test.bank/same"), ("b", "test.bank/same/b")]
        desk.poison.clear()
        for item in items:
            intent = Intent(action="retry", reason="it was mended", at=desk.clock.now())
            assert await desk.quarantine.intend(item.id, intent)
        await eventually(desk.holds_nothing)
    assert desk.done == ["same", "same"]


async def _is_planned_anew(desk: Desk, before: datetime | None) -> bool:
    return (await desk.known("a1")).next_try != before


async def _body(desk: Desk, id: str) -> bytes:
    item = await desk.quarantine.get(id)
    assert item is not None
    return item.envelope.body
