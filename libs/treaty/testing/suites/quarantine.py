"""The contract of a quarantine; memory and MongoDB pass the same suite."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from treaty.messaging.quarantine import Answered, Intent, Quarantined, Wanted, held
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


async def _held(stores: Stores, partition: int = 0, *, key: str | None = None) -> list[str]:
    return [item.id async for item in stores.quarantine.held(partition, key=key)]


async def _intents(stores: Stores) -> list[Intent | None]:
    return [item.intent for item in await stores.quarantine.find()]


class QuarantineSuite(OnStores):
    """The contract tests of a quarantine: override the fixture `stores`."""

    async def test_a_partition_is_held_in_order(self, stores: Stores) -> None:
        for item in (kept("a", 12), kept("d", 2), kept("c", 3, partition=1), kept("b", 101)):
            await stores.quarantine.add(item)
        assert await _held(stores) == ["made.up/d", "made.up/a", "made.up/b"]
        assert await _held(stores, 1) == ["made.up/c"]
        assert [await stores.quarantine.size(partition) for partition in range(3)] == [3, 1, 0]

    async def test_every_message_gets_the_partition_of_its_key_and_keeps_it(self, stores: Stores) -> None:
        first = kept("a", 7, key="x")
        for item in (first, kept("b", 3, key="x"), kept("c", 5, key="y"), kept("d", 1, key="y", partition=1)):
            await stores.quarantine.add(item)
        await stores.quarantine.assign(lambda key: {"x": 2, "y": 1}[key])
        assert await stores.quarantine.update(first, replace(first, attempts=1, error="no"))
        assert [await _held(stores, partition) for partition in range(3)] == [
            [],
            ["made.up/d", "made.up/c"],
            ["made.up/b", "made.up/a"],
        ]

    async def test_a_key_is_held_in_order(self, stores: Stores) -> None:
        for item in (kept("a", 3), kept("b", 2, key="other"), kept("c", 1), kept("d", 1, partition=1)):
            await stores.quarantine.add(item)
        assert await _held(stores, key="k") == ["made.up/c", "made.up/a"]
        assert not await _held(stores, key="")

    async def test_everything_about_a_message_comes_back(self, stores: Stores) -> None:
        item = replace(
            kept("a", 1),
            error="ValueError: no",
            detail="a\nb",
            attempts=2,
            next_try=NOON,
            waits_for="replay-1",
            raw=(("ce-id", "a"), ("ce-source", b"\xff"), ("a.b$c", "")),
            intent=Intent(action="retry", reason="fixed", at=NOON),
        )
        await stores.quarantine.add(item)
        assert await stores.quarantine.get(item.id) == item
        later = replace(item, attempts=3, next_try=None, schema=True, envelope=replace(item.envelope, body=b"new"))
        assert await stores.quarantine.update(item, replace(later, intent=None))
        assert await stores.quarantine.get(item.id) == later, "`update` must not change the intent of a person"

    async def test_adding_again_changes_nothing(self, stores: Stores) -> None:
        await stores.quarantine.add(kept("a", 1))
        await stores.quarantine.add(kept("a", 9))
        assert [item.order for item in await stores.quarantine.find()] == [1]

    async def test_a_removed_message_is_gone(self, stores: Stores) -> None:
        await stores.quarantine.add(kept("a", 1))
        await stores.quarantine.remove(kept("a", 1))
        assert not await _held(stores)
        assert await stores.quarantine.get("made.up/a") is None

    async def test_a_discarded_message_is_held_no_longer_but_known(self, stores: Stores) -> None:
        await stores.quarantine.add(kept("a", 1))
        await stores.quarantine.update(kept("a", 1), replace(kept("a", 1), discarded="spam"))
        await stores.quarantine.add(kept("a", 2))
        assert not await _held(stores)
        assert not await stores.quarantine.find()
        known = await stores.quarantine.get("made.up/a")
        assert known is not None
        assert known.discarded == "spam"

    async def test_a_message_that_was_tried_or_discarded_meanwhile_is_not_changed(self, stores: Stores) -> None:
        first = kept("a", 1)
        assert await stores.quarantine.add(first)
        assert not await stores.quarantine.add(first)
        tried = replace(first, attempts=1, next_try=NOON)
        assert await stores.quarantine.update(first, tried)
        assert not await stores.quarantine.update(first, replace(first, error="late"))
        assert not await stores.quarantine.remove(first)
        discarded = replace(tried, discarded="spam", next_try=None)
        assert await stores.quarantine.update(tried, discarded)
        assert not await stores.quarantine.update(discarded, tried)
        assert not await stores.quarantine.remove(discarded)
        assert await stores.quarantine.get(first.id) == discarded

    async def test_a_message_with_an_intent_is_not_removed(self, stores: Stores) -> None:
        await stores.quarantine.add(kept("a", 1))
        await stores.quarantine.intend("made.up/a", Intent(action="discard", reason="spam", at=NOON))
        assert not await stores.quarantine.remove(kept("a", 1))
        assert await _held(stores) == ["made.up/a"]

    async def test_a_key_is_due_at_its_time_or_when_a_person_asks(self, stores: Stores) -> None:
        later = NOON + timedelta(seconds=1)
        for key, order in (("now", 1), ("later", 2), ("never", 3), ("asked", 4)):
            await stores.quarantine.add(kept(key, order, key=key))
        await stores.quarantine.update(kept("now", 1), replace(kept("now", 1, key="now"), next_try=NOON))
        await stores.quarantine.update(kept("later", 2), replace(kept("later", 2, key="later"), next_try=later))
        await stores.quarantine.add(replace(kept("other", 1, key="other", partition=1), next_try=NOON))
        await stores.quarantine.intend("made.up/asked", Intent(action="retry", reason="fixed", at=NOON))
        assert await stores.quarantine.asked(0) == ["asked"]
        assert await stores.quarantine.due(0, NOON) == ["now"]
        assert await stores.quarantine.due(0, later) == ["now", "later"]

    async def test_those_that_wait_longest_are_due_first_and_those_whose_dependency_is_away_are_not(
        self, stores: Stores
    ) -> None:
        needs = {"a": "other", "b": "", "c": "third"}
        for n, (key, missing) in enumerate(needs.items()):
            due = NOON - timedelta(seconds=n)
            await stores.quarantine.add(replace(kept(key, n, key=key), error="no", next_try=due, missing=missing))
        assert await stores.quarantine.due(0, NOON) == ["c", "b", "a"]
        assert await stores.quarantine.due(0, NOON, away=["other"]) == ["c", "b"]
        assert [item.missing async for item in stores.quarantine.held(0)] == ["other", "", "third"]

    async def test_the_owner_remembers_of_a_message_what_orders_it(self, stores: Stores) -> None:
        intent = Intent(action="retry", reason="fixed", at=NOON)
        item = replace(kept("a", 1), error="ValueError: no", next_try=NOON, schema=True, waits_for="r", intent=intent)
        for each in (item, kept("b", 2)):
            await stores.quarantine.add(each)
        assert [found async for found in stores.quarantine.held(0)] == [held(item), held(kept("b", 2))]

    async def test_a_body_past_the_limit_of_a_document_is_kept_whole(self, stores: Stores) -> None:
        body = bytes(range(256)) * 70_000
        item = kept("a", 1)
        item = replace(item, envelope=replace(item.envelope, body=body))
        await stores.quarantine.add(item)
        assert [found.large async for found in stores.quarantine.held(0)] == [True]
        assert await stores.quarantine.get(item.id) == item
        intent = Intent(action="edit", reason="a typing error", at=NOON, body=body[::-1])
        await stores.quarantine.intend(item.id, intent)
        assert await stores.quarantine.get(item.id) == replace(item, intent=intent)
        edited = replace(item, envelope=replace(item.envelope, body=intent.body))
        await stores.quarantine.answer(
            Answered(message=item.id, intent=intent, at=NOON, outcome="edited", before=body),
        )
        assert await stores.quarantine.update(item, edited)
        assert await stores.quarantine.get(item.id) == edited
        assert await stores.quarantine.remove(edited)
        [answered] = await stores.quarantine.answers(item.id)
        assert (answered.before, answered.intent.body) == (body, intent.body)

    async def test_people_find_messages_without_bodies_and_tracebacks(self, stores: Stores) -> None:
        await stores.quarantine.add(replace(kept("a", 1), error="ValueError: no", detail="Traceback"))
        [found] = await stores.quarantine.find()
        assert (found.error, found.detail, found.envelope.body) == ("ValueError: no", "", b"")

    async def test_people_find_and_decide(self, stores: Stores) -> None:
        for n in range(3):
            await stores.quarantine.add(kept(str(n), n))
        assert len(await stores.quarantine.find(limit=2)) == 2
        intent = Intent(action="discard", reason="spam", at=NOON)
        assert await stores.quarantine.intend("made.up/1", intent)
        assert not await stores.quarantine.intend("made.up/unknown", intent)
        assert await _intents(stores) == [None, intent, None]

    async def test_it_is_counted_and_its_age_known(self, stores: Stores) -> None:
        assert await stores.quarantine.waiting() == Waiting(0)
        for n in range(3):
            await stores.quarantine.add(replace(kept(str(n), n, partition=n), since=NOON + timedelta(hours=2 - n)))
        (last,) = (item for item in await stores.quarantine.find() if item.partition == 2)
        await stores.quarantine.update(last, replace(last, discarded="spam"))
        assert await stores.quarantine.waiting() == Waiting(2, NOON + timedelta(hours=1))

    async def test_what_came_of_an_intent_is_kept_when_the_message_is_gone(self, stores: Stores) -> None:
        await stores.quarantine.add(kept("a", 1))
        intent = Intent(action="edit", reason="a typing error", at=NOON, by="ann", body=b"right")
        await stores.quarantine.intend("made.up/a", intent)
        edited = Answered(message="made.up/a", intent=intent, at=NOON, outcome="edited", before=b"wrong")
        await stores.quarantine.note(edited)
        await stores.quarantine.note(replace(edited, before=b"right"))
        assert await stores.quarantine.answers("made.up/a") == [edited]
        assert await _intents(stores) == [intent]
        done = replace(edited, at=NOON + timedelta(seconds=1), outcome="took effect")
        await stores.quarantine.answer(replace(done, before=b""))
        assert await _intents(stores) == [None]
        await stores.quarantine.remove(kept("a", 1))
        assert await stores.quarantine.answers() == [done]
        assert await stores.quarantine.answers("made.up/b") == []

    async def test_messages_in_quarantine_discarded_and_decided_about_are_known(self, stores: Stores) -> None:
        for number, id in enumerate(("a", "b", "c", "d")):
            await stores.quarantine.add(kept(id, number))
        await stores.quarantine.update(kept("b", 1), replace(kept("b", 1), discarded="never mind"))
        intent = Intent(action="edit", reason="a typing error", at=NOON, by="ann", body=b"right")
        await stores.quarantine.note(Answered(message="made.up/c", intent=intent, at=NOON, outcome="edited"))
        for number, id in ((2, "c"), (3, "d")):
            assert await stores.quarantine.remove(kept(id, number))
        asked = [f"made.up/{id}" for id in ("a", "b", "c", "d", "e")]
        assert await stores.quarantine.knows(asked) == {"made.up/a", "made.up/b", "made.up/c"}

    async def test_an_answer_leaves_a_later_intent_alone(self, stores: Stores) -> None:
        await stores.quarantine.add(kept("a", 1))
        first = Intent(action="retry", reason="now", at=NOON)
        later = Intent(action="discard", reason="never mind", at=NOON + timedelta(seconds=1))
        await stores.quarantine.intend("made.up/a", later)
        await stores.quarantine.answer(Answered(message="made.up/a", intent=first, at=NOON, outcome="failed again"))
        assert await _intents(stores) == [later]

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
