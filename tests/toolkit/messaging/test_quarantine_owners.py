"""An owner that was frozen wakes up late: it undoes nothing that another owner or a person has done meanwhile."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from treaty.dependencies import Breakers
from treaty.memory.quarantine import MemoryQuarantine
from treaty.memory.replays import MemoryReplays
from treaty.messaging.envelope import Envelope
from treaty.messaging.held_keys import HeldKeys
from treaty.messaging.quarantine import Held, Intent, Quarantined
from treaty.messaging.quarantine_keeper import QuarantineKeeper, Verdict
from treaty.surroundings import Surroundings
from treaty.testing.recorder import Recorder
from treaty.testing.samples import NOON
from treaty.testing.suites.quarantine import kept
from treaty.testing.world import ManualClock, SeededChance

Meanwhile = Callable[[MemoryQuarantine], None]


class Freezing(MemoryQuarantine):
    """Its owner freezes between the reading of a key and the reading of its first message; then `meanwhile` happens."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Meanwhile | None = None

    async def get(self, id: str) -> Quarantined | None:
        self.happen()
        return await super().get(id)

    def happen(self) -> None:
        happening, self.meanwhile = self.meanwhile, None
        if happening is not None:
            happening(self)

    def change(self, id: str, **values: object) -> None:
        """Changes a message as another owner would."""
        self._items[f"made.up/{id}"] = replace(self._items[f"made.up/{id}"], **values)  # type: ignore[arg-type]

    def forget(self, id: str) -> None:
        del self._items[f"made.up/{id}"]


class Owner:
    """An owner of a partition whose quarantine holds the messages a, b and c of one key; `during` is called by each."""

    def __init__(self) -> None:
        self.quarantine, self.handled = Freezing(), list[tuple[str, bytes]]()
        self.during: Callable[[], None] = lambda: None
        self.clock = ManualClock(NOON)
        surroundings = Surroundings(clock=self.clock, chance=SeededChance(), probe=Recorder())
        self.keeper = QuarantineKeeper(
            self.quarantine,
            MemoryReplays(),
            0,
            "q",
            self._handle,
            breakers=Breakers(surroundings),
            surroundings=surroundings,
        )

    async def _handle(self, event: Envelope) -> None:
        self.handled.append((event.id, event.body))
        self.during()

    async def release(self) -> list[str]:
        """Releases the key after all three were added; returns the ids of the messages that were handled."""
        first = replace(kept("a", 1), error="ValueError: no", next_try=NOON)
        for item in (first, kept("b", 2), kept("c", 3)):
            await self.quarantine.add(item)
        await self.keeper.open()
        return await self.release_again()

    async def release_again(self) -> list[str]:
        await self.keeper.find_due()
        assert list(self.keeper.to_release()) == ["k"]
        await self.keeper.release("k")
        return [id for id, _ in self.handled]


async def test_nothing_is_handled_that_a_person_has_discarded_meanwhile() -> None:
    owner = Owner()
    owner.quarantine.meanwhile = lambda _: owner.quarantine.change("a", discarded="spam", next_try=None)
    assert await owner.release() == []
    assert await owner.release_again() == ["b", "c"]


async def test_a_message_is_handled_with_the_body_that_it_has_meanwhile() -> None:
    owner = Owner()
    intent = Intent(action="edit", reason="a typing error", at=NOON, body=b"mended")
    owner.quarantine.meanwhile = lambda _: owner.quarantine.change("a", intent=intent)
    await owner.release()
    assert owner.handled[0] == ("a", b"mended")


async def test_a_key_that_another_owner_works_on_is_read_again() -> None:
    owner = Owner()
    owner.quarantine.meanwhile = lambda _: owner.quarantine.forget("a")
    assert await owner.release() == [], "the order of the rest may have changed"
    assert await owner.release_again() == ["b", "c"]


async def test_a_late_failure_does_not_bring_a_discarded_message_back() -> None:
    owner = Owner()

    def fail() -> None:
        owner.quarantine.change("a", discarded="spam", next_try=None)
        raise ValueError("no")

    owner.during = fail
    await owner.release()
    known = await owner.quarantine.get("made.up/a")
    assert known is not None
    assert known.discarded == "spam"


async def test_the_record_of_a_discarded_message_outlives_a_late_success() -> None:
    owner = Owner()
    owner.during = lambda: owner.quarantine.change("a", discarded="spam", next_try=None)
    await owner.release()
    assert await owner.quarantine.get("made.up/a") is not None


async def test_an_intent_that_comes_while_the_message_takes_effect_is_answered() -> None:
    owner = Owner()
    intent = Intent(action="discard", reason="spam", at=NOON)

    def ask() -> None:
        if len(owner.handled) == 1:
            owner.quarantine.change("a", intent=intent)

    owner.during = ask
    assert await owner.release() == ["a", "b", "c"]
    assert [answered.outcome for answered in await owner.quarantine.answers()] == ["took effect"]
    assert await owner.quarantine.get("made.up/a") is None


async def test_a_message_that_was_added_late_is_found_and_released() -> None:
    owner = Owner()
    await owner.keeper.open()
    await owner.quarantine.add(kept("a", 1))
    await owner.keeper.find_due()
    assert not owner.keeper.to_release()
    for _ in range(30):
        await owner.keeper.look()
    assert await owner.release_again() == ["a"]
    await owner.keeper.find_due()
    assert not owner.keeper.to_release()


async def test_a_message_that_was_removed_elsewhere_holds_its_key_no_longer() -> None:
    owner = Owner()
    await owner.quarantine.add(replace(kept("a", 1), error="ValueError: no"))
    await owner.keeper.open()
    owner.quarantine.forget("a")
    for _ in range(10):
        await owner.keeper.look()
    assert await owner.release_again() == []
    assert owner.keeper.judge(kept("b", 2).envelope) is Verdict.HANDLE


async def test_few_keys_are_released_at_once_and_first_those_that_a_person_asked_for_or_that_wait_longest() -> None:
    owner = Owner()
    intent = Intent(action="retry", reason="", at=NOON)
    for n in range(100):
        due = NOON - timedelta(seconds=n)
        asked = intent if n == 50 else None
        failed = replace(kept(str(n), n, key=str(n)), error="ValueError: no", next_try=due, intent=asked)
        await owner.quarantine.add(failed)
    await owner.keeper.open()
    await owner.keeper.find_due()
    batches = []
    while keys := owner.keeper.to_release():
        assert not owner.keeper.to_release()
        batches.append(len(keys))
        for key in keys:
            await owner.keeper.release(key)
    assert batches == [*[8] * 12, 4]
    others = [str(n) for n in reversed(range(100)) if n != 50]
    assert [id for id, _ in owner.handled] == ["50", *others]


def _held(id: str, order: int, sequence: str, *, source: str = "x", failed: bool = False) -> Held:
    return Held(id=id, type="t", key="k", order=order, source=source, sequence=sequence, failed=failed)


@pytest.mark.parametrize("read_again", [False, True])
def test_the_first_message_of_a_key_is_the_first_of_the_source_that_came_first(read_again: bool) -> None:
    arrived = [_held("x3", 1, "3", failed=True), _held("y0", 2, "0", source="y"), _held("x1", 3, "1")]
    keys = HeldKeys()
    for item in arrived:
        keys.note(item)
        keys.note(item)
    if read_again:
        keys.replace("k", arrived)
    assert (len(keys), [item.id for item in keys.free()]) == (3, ["x1"])
    keys.replace("k", arrived[:2])
    assert (len(keys), list(keys.free())) == (2, [])
    keys.replace("k", [])
    assert "k" not in keys
    assert len(keys) == 0
