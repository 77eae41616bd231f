"""The contract of seals."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from treaty.seals.seal import BEGINNING, NO_HASH, Leaf, Position, Seal, SealTaken, root_of
from treaty.service.stores import Stores
from treaty.testing.samples import full_commit, plain_commit
from treaty.testing.suites.stores import OnStores


async def _leaves(stores: Stores, after: Position = BEGINNING, until: Position | None = None) -> list[Leaf]:
    return [leaf async for leaf in stores.seals.leaves(after, until)]


def seal_of(number: int, leaves: list[Leaf], before: str = NO_HASH) -> Seal:
    """Returns a seal of some leaves."""
    return Seal(
        context="media.notes",
        number=number,
        after=BEGINNING,
        until=leaves[-1].position,
        ids=[leaf.id for leaf in leaves],
        leaves=b"".join(leaf.hash for leaf in leaves),
        root=root_of([leaf.hash for leaf in leaves]).hex(),
        before=before,
        sealed_at=datetime(2026, 7, 1, 12, tzinfo=UTC),
        signature="signed",
    )


class SealsSuite(OnStores):
    """The contract tests of seals: override the fixture `stores`."""

    async def test_leaves_come_in_the_order_of_the_log_and_are_those_of_a_part(self, stores: Stores) -> None:
        for version in range(1, 6):
            await stores.log.append(plain_commit("note-a", version))
        leaves = await _leaves(stores)
        assert [leaf.id for leaf in leaves] == [plain_commit("note-a", version).id for version in range(1, 6)]
        assert leaves == sorted(leaves, key=lambda leaf: leaf.position)
        assert len({leaf.hash for leaf in leaves}) == 5
        assert await _leaves(stores, leaves[0].position, leaves[3].position) == leaves[1:4]
        assert await _leaves(stores, leaves[-1].position) == []
        assert not await stores.seals.strangers()

    async def test_the_hash_of_a_leaf_stays_the_same(self, stores: Stores) -> None:
        await stores.log.append(full_commit("note-a"))
        [leaf] = await _leaves(stores)
        await stores.log.append(plain_commit("note-b"))
        assert (await _leaves(stores))[0] == leaf
        assert await stores.seals.holds(leaf.id)
        assert not await stores.seals.holds("note-a@000000000009")

    async def test_a_seal_comes_back_as_it_was_and_its_hash_too(self, stores: Stores) -> None:
        assert await stores.seals.last() is None
        await stores.log.append(plain_commit("note-a"))
        seal = seal_of(1, await _leaves(stores))
        await stores.seals.add(seal)
        assert await stores.seals.last() == seal
        assert [each.hash async for each in stores.seals.all()] == [seal.hash]

    async def test_a_number_is_given_once(self, stores: Stores) -> None:
        await stores.log.append(plain_commit("note-a"))
        leaves = await _leaves(stores)
        await stores.seals.add(seal_of(1, leaves))
        with pytest.raises(SealTaken):
            await stores.seals.add(replace(seal_of(1, leaves), signature="other"))
        await stores.seals.add(seal_of(2, leaves))
        assert [(each.number, each.signature) async for each in stores.seals.all()] == [(1, "signed"), (2, "signed")]

    async def test_what_is_settled_is_not_ahead_of_the_log(self, stores: Stores) -> None:
        before = await stores.seals.settled()
        await stores.log.append(plain_commit("note-a"))
        [leaf] = await _leaves(stores)
        assert before < leaf.position
