"""Marks of the inbox: a timer waits until everything that came before it has been handled."""

import asyncio
from dataclasses import dataclass, field

from treaty.followers.inbox import InboxReader
from treaty.memory.leases import MemoryCheckpoints
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.recorder import Recorder
from treaty.testing.suites.broker import subscriber
from treaty.testing.world import SeededChance

from tests.toolkit.pieces import BANK, DESK, Desk, running


@dataclass(slots=True)
class Scene:
    """A desk with one partition, and a reader of its inbox."""

    desk: Desk = field(default_factory=Desk)
    probe: Recorder = field(default_factory=Recorder)

    @property
    def checkpoints(self) -> MemoryCheckpoints:
        return self.desk.checkpoints

    def reader(self, *, epoch: int = 1, longest: float = 60.0) -> InboxReader:
        return InboxReader(
            topology=DESK,
            broker=self.desk.broker,
            checkpoints=self.checkpoints,
            epoch=epoch,
            surroundings=Surroundings(chance=SeededChance(scale=0.02), probe=self.probe),
            longest=longest,
        )

    async def declared(self) -> "Scene":
        await self.desk.declared()
        return self


async def test_the_inbox_is_read_when_what_was_in_it_has_been_handled() -> None:
    scene = await Scene().declared()
    gate = scene.desk.gates["a1"] = asyncio.Event()
    scene.desk.deliver("a1", "b1")
    inbox = scene.reader()
    async with running(inbox.run()), running(scene.desk.consumer().run()):
        reading = asyncio.create_task(inbox.read())
        await eventually(lambda: scene.desk.done == ["b1"])
        assert not reading.done()
        scene.desk.deliver("c1")
        await eventually(lambda: "c1" in scene.desk.done)
        assert not reading.done()
        gate.set()
        await reading
    assert scene.desk.done == ["b1", "c1", "a1"]
    assert not await scene.desk.held(), "a mark is no message"


async def test_without_an_owner_it_is_read_after_the_take_over() -> None:
    scene = await Scene().declared()
    scene.desk.deliver("a1")
    inbox = scene.reader()
    async with running(inbox.run()):
        reading = asyncio.create_task(inbox.read())
        await eventually(lambda: scene.probe.gauges.get("treaty.timers.held", 0) > 0.1)
        assert not reading.done()
        async with running(scene.desk.consumer().run()):
            await reading
    assert scene.desk.done == ["a1"]


async def test_a_quarantined_message_counts_as_read() -> None:
    scene = await Scene().declared()
    scene.desk.poison.add("a1")
    scene.desk.deliver("a1")
    inbox = scene.reader()
    async with running(inbox.run()), running(scene.desk.consumer().run()):
        await inbox.read()
        assert await scene.desk.held() == ["a1"]


async def test_while_the_broker_is_away_it_waits_and_not_for_ever() -> None:
    scene = await Scene().declared()
    scene.desk.broker.away = True
    inbox = scene.reader(longest=0.3)
    async with running(inbox.run()):
        await inbox.read()
    assert scene.probe.counts["treaty.timers.unread"] == 1
    scene.desk.broker.away = False
    again = scene.reader(epoch=2)
    async with running(again.run()), running(scene.desk.consumer().run()):
        await again.read()
    assert scene.probe.counts["treaty.timers.unread"] == 1


async def test_the_marks_of_an_earlier_holder_do_not_count() -> None:
    scene = await Scene().declared()
    first, second = scene.reader(epoch=1), scene.reader(epoch=2)
    async with running(first.run()), running(scene.desk.consumer().run()):
        for _ in range(12):
            await first.read()
    async with running(second.run()):
        reading = asyncio.create_task(second.read())
        await eventually(lambda: scene.probe.gauges.get("treaty.timers.held", 0) > 0.1)
        assert not reading.done()
        async with running(scene.desk.consumer().run()):
            await reading


async def test_many_that_ask_at_once_share_a_mark_and_late_ones_get_another() -> None:
    scene = await Scene().declared()
    inbox = scene.reader()
    async with running(inbox.run()), running(scene.desk.consumer().run()):
        await asyncio.gather(*(inbox.read() for _ in range(100)))
        shared = scene.desk.probe.counts["treaty.consumer.delivered"]
        await inbox.read()
    assert shared <= 3
    assert scene.desk.probe.counts["treaty.consumer.delivered"] > shared


async def test_a_context_without_an_inbox_has_nothing_to_read() -> None:
    scene = Scene()
    assert not BANK.subscribes
    inbox = scene.reader()
    inbox.topology = BANK
    await inbox.read()


async def test_a_consumer_that_does_not_know_marks_acknowledges_them() -> None:
    """Marks look like the end of a replay that is not open, which a consumer of the version before passes."""
    broker = Desk().broker
    office = subscriber("test.office", "test.bank")
    await broker.declare(office)
    inbox = Scene(Desk(broker=broker)).reader()
    inbox.topology = office
    async with running(inbox.run()):
        reading = asyncio.create_task(inbox.read())
        queue = broker._inboxes[office.context][0]
        await eventually(lambda: queue.ready)
        assert {name for message in queue.ready for name in message.headers} == {"treaty-replay-end"}
        reading.cancel()
