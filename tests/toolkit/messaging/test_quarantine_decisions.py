"""What people decide about messages in quarantine, what waits for a deploy, and the order in which all are released."""

from datetime import timedelta

from treaty.messaging.dispatcher import UnknownType
from treaty.messaging.envelope import Envelope
from treaty.messaging.quarantine import SCHEDULE, Held, Intent, in_order
from treaty.testing import eventually

from tests.toolkit.pieces import Desk, of, running


async def test_what_a_person_asked_for_and_what_came_of_it_is_kept(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
        await desk.intend("a1", "retry")
        await eventually(lambda: _outcomes(desk, 1))
        desk.poison.clear()
        desk.clock.advance(1)
        await desk.intend("a2", "retry")
        await eventually(lambda: desk.holds_nothing())
    found = {(a.message, a.intent.action): a.outcome for a in await desk.quarantine.answers()}
    assert found[("test.bank/a1", "retry")].startswith("failed again: ValueError")
    assert found[("test.bank/a2", "retry")] == "took effect"


async def test_a_release_starts_the_schedule_afresh(desk: Desk) -> None:
    async with running(desk.consumer().run()):
        await desk.idle()
        desk.clock.advance(SCHEDULE[0])
        await eventually(lambda: desk.was_tried("a1", 1))
        await desk.intend("a1", "release")
        await eventually(lambda: _outcomes(desk, 1))
    known = await desk.known("a1")
    assert (known.attempts, known.next_try) == (1, desk.clock.now() + timedelta(seconds=SCHEDULE[1]))


async def test_an_edited_message_is_handled_with_its_new_body_and_the_old_one_is_kept(desk: Desk) -> None:
    bodies = []

    async def handle(event: Envelope) -> None:
        await desk.handle(event)
        bodies.append((event.id, event.body))

    async with running(desk.consumer(handle).run()):
        await desk.idle()
        desk.poison.clear()
        intent = Intent(action="edit", reason="a typing error", at=desk.clock.now(), by="ann", body=b"mended")
        assert await desk.quarantine.intend("test.bank/a1", intent)
        await eventually(lambda: desk.holds_nothing())
    assert of("a", desk.done) == ["a1", "a2", "a3"]
    assert ("a1", b"mended") in bodies
    [answered] = await desk.quarantine.answers("test.bank/a1")
    assert (answered.intent.by, answered.outcome, answered.before) == ("ann", "took effect", b"body")


async def test_a_message_that_waits_for_a_deploy_is_tried_once_by_the_next_owner() -> None:
    desk, known = await Desk().declared(), False
    tries = []

    async def handle(event: Envelope) -> None:
        tries.append(event.id)
        if not known and event.id == "a1":
            raise UnknownType("not in this version")
        await desk.handle(event)

    desk.deliver("a1", "a2")
    async with running(desk.consumer(handle).run()):
        await desk.idle()
        desk.clock.advance(10 * SCHEDULE[-1])
        desk.probe.gauges.clear()
        await eventually(lambda: "treaty.quarantine.size" in desk.probe.gauges)
    assert tries == ["a1"]
    assert [item.schema for item in await desk.quarantine.find()] == [True, False]
    async with running(desk.consumer(handle).run()):
        await eventually(lambda: len(tries) == 2)
    known = True
    async with running(desk.consumer(handle).run()):
        await eventually(lambda: desk.holds_nothing())
    assert of("a", desk.done) == ["a1", "a2"]


async def test_a_release_restores_the_order_of_each_source() -> None:
    def item(id: str, order: int, source: str, sequence: str) -> Held:
        return Held(id=id, type="t", key="a", order=order, source=source, sequence=sequence)

    arrived = [item("x3", 1, "x", "003"), item("y1", 2, "y", "001"), item("x1", 3, "x", "001")]
    assert [found.id for found in in_order(arrived)] == ["x1", "y1", "x3"]


async def test_the_attempts_of_a_message_do_not_multiply_with_its_owners(desk: Desk) -> None:
    for _ in range(4):
        async with running(desk.consumer().run()):
            await eventually(lambda: "treaty.quarantine.size" in desk.probe.gauges)
            await desk.idle()
            await desk.broker.lose_channels()
            desk.probe.gauges.clear()
    assert desk.started.count("a1") == 3, "only the first owner tried it in its lane"
    desk.clock.advance(SCHEDULE[0])
    async with running(desk.consumer().run()):
        await eventually(lambda: desk.was_tried("a1", 1))
    assert desk.started.count("a1") == 4


async def _outcomes(desk: Desk, count: int) -> bool:
    return len(await desk.quarantine.answers()) >= count
