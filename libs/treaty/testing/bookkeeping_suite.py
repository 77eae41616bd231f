"""The contracts of leases, checkpoints, pending work, quarantine and rows; memory and MongoDB pass the same suites."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from treaty.commits import Place
from treaty.followers import Holder, LeaseLost
from treaty.pending import Item
from treaty.service import Stores
from treaty.standing import Standing
from treaty.testing.samples import NOON
from treaty.testing.waiting import eventually


class OnStores:
    """Where the stores are."""

    @pytest.fixture
    async def stores(self) -> Stores:
        """Returns (or yields) empty stores, prepared for the projection `treaty.testing.samples.NOTES`."""
        raise NotImplementedError("say where the stores are")


class LeasesSuite(OnStores):
    """Override the fixture `stores`."""

    async def test_a_lease_has_one_owner(self, stores: Stores) -> None:
        assert await stores.leases.acquire("followers", "ann", 60) is not None
        assert await stores.leases.acquire("followers", "bob", 60) is None
        assert await stores.leases.acquire("p0", "bob", 60) is not None

    async def test_renewing_keeps_the_epoch(self, stores: Stores) -> None:
        first = await stores.leases.acquire("followers", "ann", 60)
        assert await stores.leases.acquire("followers", "ann", 60) == first

    async def test_every_new_owner_has_a_higher_epoch(self, stores: Stores) -> None:
        epochs = []
        for owner in ("ann", "bob", "ann", "ann"):
            epochs.append(await stores.leases.acquire("followers", owner, 60))
            await stores.leases.release("followers", owner)
        assert None not in epochs
        assert epochs == sorted(set(epochs), key=lambda epoch: epoch or 0)

    async def test_an_expired_lease_goes_to_who_asks(self, stores: Stores) -> None:
        first = await stores.leases.acquire("followers", "ann", 0.2)
        assert first is not None
        second = await eventually(lambda: stores.leases.acquire("followers", "bob", 60))
        assert second is not None
        assert second > first
        assert await stores.leases.acquire("followers", "ann", 60) is None

    async def test_only_the_owner_releases(self, stores: Stores) -> None:
        await stores.leases.acquire("followers", "ann", 60)
        await stores.leases.release("followers", "bob")
        assert await stores.leases.acquire("followers", "bob", 60) is None

    async def test_who_holds_a_lease_can_be_seen(self, stores: Stores) -> None:
        epoch = await stores.leases.acquire("followers", "ann", 60)
        await stores.leases.acquire("p0", "bob", 60)
        await stores.leases.acquire("p1", "bob", 60)
        await stores.leases.release("p1", "bob")
        await stores.leases.acquire("p2", "cid", 0.05)
        held = await eventually(lambda: _without(stores, "p2"))
        assert held is not None
        assert {name: holder.owner for name, holder in held.items()} == {"followers": "ann", "p0": "bob"}
        assert held["followers"].epoch == epoch
        first = held["followers"].until
        await stores.leases.acquire("followers", "ann", 120)
        assert (await stores.leases.holders())["followers"].until > first


async def _without(stores: Stores, name: str) -> Mapping[str, Holder] | None:
    held = await stores.leases.holders()
    return None if name in held else held


class CheckpointsSuite(OnStores):
    """Override the fixture `stores`."""

    async def test_places_come_back(self, stores: Stores) -> None:
        assert not await stores.checkpoints.load()
        places = {"relay": Place("token", (7, 3)), "projection x": Place("", (1, 0))}
        await stores.checkpoints.save(places, 1)
        await stores.checkpoints.save({"relay": Place("later", (8, 1))}, 1)
        assert dict(await stores.checkpoints.load()) == {**places, "relay": Place("later", (8, 1))}

    async def test_an_older_epoch_is_refused(self, stores: Stores) -> None:
        await stores.checkpoints.save({"relay": Place("old", (1, 1))}, 1)
        await stores.checkpoints.save({"relay": Place("new", (2, 1))}, 2)
        with pytest.raises(LeaseLost):
            await stores.checkpoints.save({"relay": Place("old", (1, 2))}, 1)
        assert dict(await stores.checkpoints.load()) == {"relay": Place("new", (2, 1))}


def call(id: str, lane: str, *, due: datetime | None = None, attempts: int = 0, error: str = "") -> Item:
    """Returns a pending call."""
    body = {"type": "ring", "raw": b"\x00", "at": NOON}
    return Item(id=id, lane=lane, kind="call", body=body, due=due, attempts=attempts, error=error)

    async def test_a_follower_that_is_forgotten_starts_anew(self, stores: Stores) -> None:
        await stores.checkpoints.save({"old": Place("1", (1, 1)), "kept": Place("2", (2, 2))}, 5)
        await stores.checkpoints.forget(["old", "unknown"])
        assert await stores.checkpoints.load() == {"kept": Place("2", (2, 2))}

    async def test_each_follower_is_fenced_by_itself(self, stores: Stores) -> None:
        await stores.checkpoints.save({"old": Place("1", (1, 1))}, 5)
        await stores.checkpoints.save({"new": Place("1", (1, 1))}, 0)
        with pytest.raises(LeaseLost):
            await stores.checkpoints.save({"old": Place("2", (2, 2))}, 4)

    return None


class PendingSuite(OnStores):
    """Override the fixture `stores`."""

    async def _due(self, stores: Stores) -> list[str]:
        return sorted(item.id for item in await stores.pending.due(100))

    async def test_only_the_first_of_a_lane_is_due(self, stores: Stores) -> None:
        await stores.pending.add([call("a@2", "a"), call("b@1", "b"), call("a@1", "a")])
        assert await self._due(stores) == ["a@1", "b@1"]
        await stores.pending.done("a@1")
        assert await self._due(stores) == ["a@2", "b@1"]

    async def test_an_item_that_is_put_off_holds_its_lane(self, stores: Stores) -> None:
        await stores.pending.add([call("a@1", "a"), call("a@2", "a")])
        await stores.pending.delay(call("a@1", "a", attempts=1, error="no"), 60)
        assert await self._due(stores) == []

    async def test_an_item_comes_when_its_time_has_come(self, stores: Stores) -> None:
        await stores.pending.add([call("a@1", "a")])
        [item] = await stores.pending.due(10)
        await stores.pending.delay(replace(item, attempts=3, error="no"), 0.2)
        [again] = await eventually(lambda: stores.pending.due(10))
        assert (again.attempts, again.error, dict(again.body)) == (3, "no", dict(item.body))

    async def test_a_timer_is_due_at_its_time(self, stores: Stores) -> None:
        await stores.pending.add([call("t@1", "t@1", due=NOON), call("t@2", "t@2", due=NOON + timedelta(days=50_000))])
        assert await self._due(stores) == ["t@1"]

    async def test_adding_again_changes_nothing(self, stores: Stores) -> None:
        await stores.pending.add([call("a@1", "a")])
        await stores.pending.delay(call("a@1", "a", attempts=1), 60)
        await stores.pending.add([call("a@1", "a"), call("b@1", "b")])
        assert await self._due(stores) == ["b@1"]

    async def test_no_more_are_due_than_asked_for(self, stores: Stores) -> None:
        await stores.pending.add([call(f"{n}@1", str(n)) for n in range(5)])
        assert len(await stores.pending.due(3)) == 3

    async def test_lanes_name_their_last_item(self, stores: Stores) -> None:
        await stores.pending.add([call("a@2", "a"), call("a@1", "a"), call("b@1", "b")])
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

    async def test_what_is_parked_is_counted_and_its_age_known(self, stores: Stores) -> None:
        assert await stores.pending.standing() == Standing(0)
        late = NOON + timedelta(hours=1)
        timer = replace(call("t@1", "t@1", due=late), since=NOON - timedelta(days=1))
        await stores.pending.add([timer, *(replace(call(f"a@{n}", "a"), since=at) for n, at in ((1, late), (2, NOON)))])
        assert await stores.pending.standing() == Standing(2, NOON)
        await stores.pending.done("a@2")
        assert await stores.pending.standing() == Standing(1, late)


class PrivateSuite(OnStores):
    """Override the fixture `stores`."""

    async def test_what_is_kept_is_found_by_its_reference(self, stores: Stores) -> None:
        ref = await stores.private.keep("ann", {"email": "ann@example.com"})
        assert await stores.private.find(ref) == {"email": "ann@example.com"}
        assert await stores.private.find("unknown") is None

    async def test_a_reference_tells_nothing_and_is_the_same_for_the_same(self, stores: Stores) -> None:
        ref = await stores.private.keep("ann", {"email": "ann@example.com"})
        assert "ann" not in ref
        assert await stores.private.keep("ann", {"email": "ann@example.com"}) == ref
        assert await stores.private.keep("ann", {"email": "ann@example.org"}) != ref
        assert await stores.private.keep("bob", {"email": "ann@example.com"}) != ref

    async def test_erasing_a_subject_leaves_its_references_leading_nowhere(self, stores: Stores) -> None:
        refs = [await stores.private.keep("ann", {"n": str(n)}) for n in range(3)]
        other = await stores.private.keep("bob", {"n": "0"})
        assert await stores.private.erase("ann") == 3
        assert await stores.private.erase("ann") == 0
        assert [await stores.private.find(ref) for ref in refs] == [None] * 3
        assert await stores.private.find(other) == {"n": "0"}
