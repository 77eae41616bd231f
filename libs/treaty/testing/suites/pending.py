"""The contract of pending work."""

from dataclasses import replace
from datetime import datetime, timedelta

from treaty.followers.pending import Item
from treaty.probes import Waiting
from treaty.service.stores import Stores
from treaty.testing.eventually import eventually
from treaty.testing.samples import NOON
from treaty.testing.suites.stores import OnStores


def call(id: str, lane: str, *, due: datetime | None = None, attempts: int = 0, error: str = "") -> Item:
    """Returns a pending call."""
    body = {"type": "ring", "raw": b"\x00", "at": NOON}
    return Item(id=id, lane=lane, kind="call", body=body, due=due, attempts=attempts, error=error)


class PendingSuite(OnStores):
    """The contract tests of pending work: override the fixture `stores`."""

    async def _due(self, stores: Stores, *lanes: str) -> list[str]:
        return sorted(first.item.id for first in (await stores.pending.first(lanes)).values() if not first.wait)

    async def test_the_first_of_each_lane_comes(self, stores: Stores) -> None:
        await stores.pending.add([call("a@2", "a"), call("b@1", "b"), call("a@1", "a"), call("c@1", "c")])
        assert await self._due(stores, "a", "b", "empty") == ["a@1", "b@1"]
        await stores.pending.done("a@1")
        assert await self._due(stores, "a", "b") == ["a@2", "b@1"]
        assert await self._due(stores) == []

    async def test_an_item_that_is_put_off_holds_its_lane(self, stores: Stores) -> None:
        await stores.pending.add([call("a@1", "a"), call("a@2", "a")])
        await stores.pending.delay(call("a@1", "a", attempts=1, error="no"), 60)
        found = await stores.pending.first(["a"])
        assert found["a"].item.id == "a@1"
        assert 0 < found["a"].wait <= 60

    async def test_an_item_comes_when_its_time_has_come(self, stores: Stores) -> None:
        await stores.pending.add([call("a@1", "a")])
        item = (await stores.pending.first(["a"]))["a"].item
        await stores.pending.delay(replace(item, attempts=3, error="$no", missing="test.other"), 0.2)
        assert await eventually(lambda: self._due(stores, "a")) == ["a@1"]
        again = (await stores.pending.first(["a"]))["a"].item
        assert (again.attempts, again.error, again.missing) == (3, "$no", "test.other")
        assert dict(again.body) == dict(item.body)

    async def test_a_timer_is_due_at_its_time(self, stores: Stores) -> None:
        await stores.pending.add([call("t@1", "t@1", due=NOON), call("t@2", "t@2", due=NOON + timedelta(days=50_000))])
        assert await self._due(stores, "t@1", "t@2") == ["t@1"]

    async def test_the_earliest_timers_are_listed_by_their_times(self, stores: Stores) -> None:
        due = {f"t@{n}": NOON + timedelta(hours=n) for n in (3, 1, 2)}
        await stores.pending.add([call("a@1", "a"), *(call(id, id, due=at) for id, at in due.items())])
        assert list((await stores.pending.timers(2)).items()) == [(id, due[id]) for id in ("t@1", "t@2")]
        assert list(await stores.pending.timers(10)) == ["t@1", "t@2", "t@3"]

    async def test_the_servers_clock_goes_on(self, stores: Stores) -> None:
        first = await stores.pending.now()
        assert first.tzinfo is not None
        await eventually(lambda: self._is_later(stores, first))

    async def _is_later(self, stores: Stores, than: datetime) -> bool:
        return await stores.pending.now() > than

    async def test_adding_again_changes_nothing(self, stores: Stores) -> None:
        await stores.pending.add([call("a@1", "a")])
        await stores.pending.delay(call("a@1", "a", attempts=1), 60)
        await stores.pending.add([call("a@1", "a"), call("b@1", "b")])
        assert await self._due(stores, "a", "b") == ["b@1"]

    async def test_lanes_name_their_last_item(self, stores: Stores) -> None:
        timer = call("t@1", "t@1", due=NOON)
        await stores.pending.add([call("a@2", "a"), call("a@1", "a"), call("b@1", "b"), timer])
        await stores.pending.done("b@1")
        assert dict(await stores.pending.lanes()) == {"a": "a@2"}

    async def test_people_find_items_by_their_ids(self, stores: Stores) -> None:
        timer = call("t@1", "t@1", due=NOON + timedelta(days=50_000))
        await stores.pending.add(
            [timer, call("b@1", "b", attempts=2, error="no"), replace(call("a@1", "a"), since=NOON)]
        )
        found = await stores.pending.find(10)
        assert [(i.id, i.is_timer, i.attempts, i.error, i.since) for i in found] == [
            ("a@1", False, 0, "", NOON),
            ("b@1", False, 2, "no", None),
            ("t@1", True, 0, "", None),
        ]
        assert [item.id for item in await stores.pending.find(2)] == ["a@1", "b@1"]

    async def test_what_is_left_out_does_not_count_as_found(self, stores: Stores) -> None:
        later = NOON + timedelta(days=50_000)
        await stores.pending.add(
            [
                *(call(f"a@{n}", f"a@{n}", due=later) for n in range(5)),
                call("b@1", "b@1", due=NOON),
                call("c@1", "c"),
                replace(call("d@1", "d", due=later), kind="publish"),
            ]
        )
        assert [item.id for item in await stores.pending.find(3, due=True)] == ["b@1", "c@1", "d@1"]
        assert [item.id for item in await stores.pending.find(3, kind="publish")] == ["d@1"]
        assert [item.id for item in await stores.pending.find(3, kind="call", due=True)] == ["b@1", "c@1"]

    async def test_what_is_parked_is_counted_and_its_age_known(self, stores: Stores) -> None:
        assert await stores.pending.waiting() == Waiting(0)
        late = NOON + timedelta(hours=1)
        timer = replace(call("t@1", "t@1", due=late), since=NOON - timedelta(days=1))
        await stores.pending.add([timer, *(replace(call(f"a@{n}", "a"), since=at) for n, at in ((1, late), (2, NOON)))])
        assert await stores.pending.waiting() == Waiting(2, NOON)
        await stores.pending.done("a@2")
        assert await stores.pending.waiting() == Waiting(1, late)
