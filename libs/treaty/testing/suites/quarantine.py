"""The contract of a quarantine; memory and MongoDB pass the same suite."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from treaty.messaging.quarantine import Answered, Intent, Quarantined, Wanted
from treaty.probes import Waiting
from treaty.service.stores import Stores
from treaty.testing.samples import NOON, envelope
from treaty.testing.suites.stores import OnStores


def kept(id: str, order: int, *, key: str = "k", partition: int = 0) -> Quarantined:
    """Returns a message in quarantine."""
    return Quarantined(
        id=f"made.up/{id}", partition=partition, key=key, order=order, envelope=envelope("made.up", id), since=NOON
    )


def _ids(items: Sequence[Quarantined]) -> list[str]:
    return [item.id for item in items]


class QuarantineSuite(OnStores):
    """The contract tests of a quarantine: override the fixture `stores`."""

    async def test_a_partition_is_held_in_order(self, stores: Stores) -> None:
        for item in (kept("a", 12), kept("d", 2), kept("c", 3, partition=1), kept("b", 101)):
            await stores.quarantine.add(item)
        assert _ids(await stores.quarantine.held(0)) == ["made.up/d", "made.up/a", "made.up/b"]
        assert _ids(await stores.quarantine.held(1)) == ["made.up/c"]

    async def test_a_key_is_held_in_order(self, stores: Stores) -> None:
        for item in (kept("a", 3), kept("b", 2, key="other"), kept("c", 1), kept("d", 1, partition=1)):
            await stores.quarantine.add(item)
        assert _ids(await stores.quarantine.held(0, key="k")) == ["made.up/c", "made.up/a"]
        assert not await stores.quarantine.held(0, key="")

    async def test_everything_about_a_message_comes_back(self, stores: Stores) -> None:
        item = replace(
            kept("a", 1),
            error="ValueError: no",
            detail="a\nb",
            attempts=2,
            next_try=NOON,
            waits_for="replay-1",
            intent=Intent(action="retry", reason="fixed", at=NOON),
        )
        await stores.quarantine.add(item)
        assert await stores.quarantine.get(item.id) == item
        later = replace(item, attempts=3, next_try=None, schema=True, envelope=replace(item.envelope, body=b"new"))
        await stores.quarantine.update(replace(later, intent=None))
        assert await stores.quarantine.get(item.id) == later, "`update` must not change the intent of a person"

    async def test_adding_again_changes_nothing(self, stores: Stores) -> None:
        await stores.quarantine.add(kept("a", 1))
        await stores.quarantine.add(kept("a", 9))
        assert [item.order for item in await stores.quarantine.held(0)] == [1]

    async def test_a_removed_message_is_gone(self, stores: Stores) -> None:
        await stores.quarantine.add(kept("a", 1))
        await stores.quarantine.remove("made.up/a")
        assert not await stores.quarantine.held(0)
        assert await stores.quarantine.get("made.up/a") is None

    async def test_a_discarded_message_is_held_no_longer_but_known(self, stores: Stores) -> None:
        await stores.quarantine.add(kept("a", 1))
        await stores.quarantine.update(replace(kept("a", 1), discarded="spam"))
        await stores.quarantine.add(kept("a", 2))
        assert not await stores.quarantine.held(0)
        assert not await stores.quarantine.find()
        known = await stores.quarantine.get("made.up/a")
        assert known is not None
        assert known.discarded == "spam"

    async def test_people_find_and_decide(self, stores: Stores) -> None:
        for n in range(3):
            await stores.quarantine.add(kept(str(n), n))
        assert len(await stores.quarantine.find(limit=2)) == 2
        intent = Intent(action="discard", reason="spam", at=NOON)
        assert await stores.quarantine.intend("made.up/1", intent)
        assert not await stores.quarantine.intend("made.up/unknown", intent)
        assert [item.intent for item in await stores.quarantine.held(0)] == [None, intent, None]

    async def test_it_is_counted_and_its_age_known(self, stores: Stores) -> None:
        assert await stores.quarantine.waiting() == Waiting(0)
        for n in range(3):
            await stores.quarantine.add(replace(kept(str(n), n, partition=n), since=NOON + timedelta(hours=2 - n)))
        await stores.quarantine.update(replace(kept("2", 2, partition=2), discarded="spam"))
        assert await stores.quarantine.waiting() == Waiting(2, NOON + timedelta(hours=1))

    async def test_what_came_of_an_intent_is_kept_when_the_message_is_gone(self, stores: Stores) -> None:
        await stores.quarantine.add(kept("a", 1))
        intent = Intent(action="edit", reason="a typing error", at=NOON, by="ann", body=b"right")
        await stores.quarantine.intend("made.up/a", intent)
        edited = Answered(message="made.up/a", intent=intent, at=NOON, outcome="edited", before=b"wrong")
        await stores.quarantine.note(edited)
        await stores.quarantine.note(replace(edited, before=b"right"))
        assert await stores.quarantine.answers("made.up/a") == [edited]
        assert [item.intent for item in await stores.quarantine.held(0)] == [intent]
        done = replace(edited, at=NOON + timedelta(seconds=1), outcome="took effect")
        await stores.quarantine.answer(replace(done, before=b""))
        assert [item.intent for item in await stores.quarantine.held(0)] == [None]
        await stores.quarantine.remove("made.up/a")
        assert await stores.quarantine.answers() == [done]
        assert await stores.quarantine.answers("made.up/b") == []

    async def test_an_answer_leaves_a_later_intent_alone(self, stores: Stores) -> None:
        await stores.quarantine.add(kept("a", 1))
        first = Intent(action="retry", reason="now", at=NOON)
        later = Intent(action="discard", reason="never mind", at=NOON + timedelta(seconds=1))
        await stores.quarantine.intend("made.up/a", later)
        await stores.quarantine.answer(Answered(message="made.up/a", intent=first, at=NOON, outcome="failed again"))
        assert [item.intent for item in await stores.quarantine.held(0)] == [later]

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            (Wanted(type="Happened"), ["a", "b", "c"]),
            (Wanted(type="ppened"), []),
            (Wanted(error="timeout"), ["a"]),
            (Wanted(key="other"), ["c"]),
            (Wanted(until=NOON), ["a", "b"]),
            (Wanted(schema=True), ["b"]),
            (Wanted(type="Happened", error="no such", schema=True), ["b"]),
        ],
    )
    async def test_people_see_what_they_want(self, stores: Stores, wanted: Wanted, found: list[str]) -> None:
        await stores.quarantine.add(replace(kept("a", 1), error="Timeout: (5 s)"))
        await stores.quarantine.add(replace(kept("b", 2), error="Newer: no such thing", schema=True))
        await stores.quarantine.add(replace(kept("c", 3, key="other"), since=NOON + timedelta(hours=1)))
        assert _ids(await stores.quarantine.find(wanted)) == [f"made.up/{id}" for id in found]
