"""The contracts of leases and of checkpoints."""

import asyncio
from collections.abc import Mapping

import pytest

from treaty.commits.log import Place
from treaty.followers.leases import Holder, LeaseLost
from treaty.service.stores import Stores
from treaty.testing.eventually import eventually
from treaty.testing.suites.stores import OnStores


class LeasesSuite(OnStores):
    """The contract tests of leases: override the fixture `stores`."""

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

    async def test_several_leases_are_renewed_at_once(self, stores: Stores) -> None:
        mine = {name: f"ann {name}" for name in ("p0", "p1", "p2")}
        epochs = {name: await stores.leases.acquire(name, owner, 60) for name, owner in mine.items()}
        assert set(await stores.leases.renew(mine, 120)) == set(mine)
        await stores.leases.release("p1", mine["p1"])
        await stores.leases.acquire("p1", "bob", 60)
        assert set(await stores.leases.renew({**mine, "unknown": "ann"}, 240)) == {"p0", "p2"}
        holders = await stores.leases.holders()
        assert {name: holder.owner for name, holder in holders.items()} == {**mine, "p1": "bob"}
        assert {name: holders[name].epoch for name in ("p0", "p2")} == {name: epochs[name] for name in ("p0", "p2")}
        assert holders["p0"].until > holders["p1"].until

    async def test_an_expired_lease_that_nobody_took_is_renewed_in_place(self, stores: Stores) -> None:
        await stores.leases.acquire("followers", "ann", 60)
        epoch = await stores.leases.acquire("p0", "ann", 0.05)
        assert await eventually(lambda: _without(stores, "p0")) is not None
        assert set(await stores.leases.renew({"p0": "ann"}, 60)) == {"p0"}
        assert (await stores.leases.holders())["p0"].epoch == epoch
        assert await stores.leases.acquire("p0", "bob", 60) is None

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
    """The contract tests of checkpoints: override the fixture `stores`."""

    async def test_places_come_back(self, stores: Stores) -> None:
        assert not await stores.checkpoints.load()
        places = {"relay": Place("token", (7, 3)), "projection x": Place("", (1, 0))}
        await stores.checkpoints.save(places, 1)
        await stores.checkpoints.save({"relay": Place("later", (8, 1))}, 1)
        assert dict(await stores.checkpoints.load()) == {**places, "relay": Place("later", (8, 1))}

    async def test_a_place_never_goes_back(self, stores: Stores) -> None:
        await stores.checkpoints.save({"relay": Place("b", (7, 3))}, 1)
        for late in (Place("a", (7, 3)), Place("z", (7, 2)), Place("z", (6, 9)), Place("", (7, 3))):
            await stores.checkpoints.save({"relay": late}, 1)
            assert (await stores.checkpoints.load())["relay"] == Place("b", (7, 3))
        for ahead in (Place("c", (7, 3)), Place("", (7, 4)), Place("a", (8, 0))):
            await stores.checkpoints.save({"relay": ahead}, 1)
            assert (await stores.checkpoints.load())["relay"] == ahead

    async def test_first_saves_at_the_same_moment_do_not_take_each_other_for_a_later_epoch(
        self, stores: Stores
    ) -> None:
        for n in range(20):
            name = f"expected {n}"
            await asyncio.gather(*(stores.checkpoints.save({name: Place("t", (1, 1))}, 1) for _ in range(8)))
        assert len(await stores.checkpoints.load()) == 20

    async def test_an_older_epoch_is_refused(self, stores: Stores) -> None:
        await stores.checkpoints.save({"relay": Place("old", (1, 1))}, 1)
        await stores.checkpoints.save({"relay": Place("new", (2, 1))}, 2)
        with pytest.raises(LeaseLost):
            await stores.checkpoints.save({"relay": Place("old", (1, 2))}, 1)
        assert dict(await stores.checkpoints.load()) == {"relay": Place("new", (2, 1))}

    async def test_a_follower_that_is_forgotten_starts_anew(self, stores: Stores) -> None:
        await stores.checkpoints.save({"old": Place("1", (1, 1)), "kept": Place("2", (2, 2))}, 5)
        await stores.checkpoints.forget(["old", "unknown"])
        assert await stores.checkpoints.load() == {"kept": Place("2", (2, 2))}

    async def test_a_halt_is_noted_beside_the_place_and_taken_back(self, stores: Stores) -> None:
        await stores.checkpoints.save({"relay": Place("token", (7, 3))}, 2)
        await stores.checkpoints.note("relay", "it broke")
        await stores.checkpoints.note("new", "it broke at once")
        assert dict(await stores.checkpoints.halted()) == {"relay": "it broke", "new": "it broke at once"}
        assert (await stores.checkpoints.load())["relay"] == Place("token", (7, 3))
        await stores.checkpoints.save({"relay": Place("later", (8, 1)), "new": Place("first", (1, 1))}, 2)
        for name in ("relay", "new", "unknown"):
            await stores.checkpoints.note(name, "")
        assert not await stores.checkpoints.halted()
        assert set(await stores.checkpoints.load()) == {"relay", "new"}

    async def test_each_follower_is_fenced_by_itself(self, stores: Stores) -> None:
        await stores.checkpoints.save({"old": Place("1", (1, 1))}, 5)
        await stores.checkpoints.save({"new": Place("1", (1, 1))}, 0)
        with pytest.raises(LeaseLost):
            await stores.checkpoints.save({"old": Place("2", (2, 2))}, 4)
