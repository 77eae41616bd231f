"""A handler that raises what is no `Exception` fails like any other: order holds, and nothing waits in silence."""

import asyncio

import pytest
from treaty.messaging.envelope import Envelope
from treaty.testing import eventually

from tests.toolkit.pieces import DESK, Desk, of, running


class Panic(BaseException):
    """As a native library raises it."""


KINDS = pytest.mark.parametrize("kind", [asyncio.CancelledError, Panic])


@KINDS
async def test_it_is_tried_again_and_nothing_of_its_key_overtakes_it(kind: type[BaseException]) -> None:
    desk, tries = await Desk().declared(), 0

    async def handle(event: Envelope) -> None:
        nonlocal tries
        if event.id == "a1":
            tries += 1
            if tries == 1:
                raise kind("from within")
        await desk.handle(event)

    desk.deliver("a1", "a2", "b1")
    async with running(desk.consumer(handle).run()):
        await eventually(lambda: "b1" in desk.done)
        desk.deliver("a3")
        await desk.idle()
    assert of("a", desk.done) == ["a1", "a2", "a3"]


@KINDS
async def test_if_it_always_fails_it_goes_to_quarantine_with_what_follows(kind: type[BaseException]) -> None:
    desk = await Desk().declared()

    async def handle(event: Envelope) -> None:
        if event.id == "a1":
            raise kind("from within")
        await desk.handle(event)

    desk.deliver("a1", "a2", "b1")
    async with running(desk.consumer(handle).run()):
        await desk.idle()
        assert await desk.held() == ["a1", "a2"]
        desk.clock.advance(11)
        await eventually(lambda: desk.was_tried("a1", 1))
    assert desk.done == ["b1"]
    assert "Broken" in (await desk.known("a1")).error


async def test_a_partition_begins_again_when_its_own_work_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await Desk().declared()
    consumer = desk.consumer()
    keep, broken = consumer._keeper.judge, True

    def judge(envelope: Envelope, replay: str = "") -> object:
        nonlocal broken
        if broken:
            broken = False
            raise Panic("in the middle")
        return keep(envelope, replay)

    monkeypatch.setattr(consumer._keeper, "judge", judge)
    desk.deliver("a1", "a2")
    async with running(consumer.run()):
        await desk.idle()
    assert desk.done == ["a1", "a2"]
    assert not broken
    assert await desk.broker.queued(DESK) == 0
