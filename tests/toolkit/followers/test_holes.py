"""Followers and a commit that cannot be read: only its stream waits, whoever runs them, and nothing of it is lost."""

import contextlib
from collections.abc import Sequence

import pytest
from treaty.commits.holes import holes, mend
from treaty.commits.log import Place
from treaty.followers.followers import Following
from treaty.memory.stores import MemoryStores
from treaty.operations.rebuild import rebuild
from treaty.probes import NoProbe
from treaty.projections.projector import Projector, follower_of
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.samples import NOTES, noted
from treaty.testing.world import SeededChance

from tests.toolkit.followers.test_followers import Noting
from tests.toolkit.pieces import running


@pytest.fixture
async def stores() -> MemoryStores:
    stores = MemoryStores(Surroundings(chance=SeededChance(scale=0.02)))
    await stores.prepare([NOTES])
    return stores


def following(stores: MemoryStores, *followers: Noting) -> Following:
    return Following(
        log=stores.log,
        checkpoints=stores.checkpoints,
        followers=followers,
        surroundings=Surroundings(chance=SeededChance(scale=0.02)),
        save_every=0.005,
        first_pause=0.01,
    )


async def write(stores: MemoryStores, *versions: int, unreadable: Sequence[int] = ()) -> None:
    """Appends versions of the note `a`, and of a note of its own beside each."""
    for version in versions:
        stores.commits.spoil_next = version in unreadable
        await stores.log.append(noted("a", version, "ann", version))
        await stores.log.append(noted(f"beside-{version}", 1, "bob", version))


def of_a(follower: Noting) -> list[int]:
    """Returns the versions of `a` in the order in which each was taken first."""
    return list(dict.fromkeys(int(id.rpartition("@")[2]) for id in follower.taken if id.startswith("note-a@")))


def behind_1(follower: Noting) -> list[int]:
    """Returns `of_a` without the first version, which may come again: positions tell only about where a place is."""
    return [version for version in of_a(follower) if version > 1]


def has_beside(follower: Noting, version: int) -> bool:
    return any(id.startswith(f"note-beside-{version}@") for id in follower.taken)


async def repair(stores: MemoryStores) -> None:
    stores.commits.unreadable.clear()
    await mend(stores.log, "note-a", by="ann", reason="repaired")


async def passed(stores: MemoryStores, *names: str) -> None:
    async def at_the_end() -> bool:
        places = await stores.checkpoints.load()
        return all(places.get(name, Place()).position == stores.commits.commits[-1].position for name in names)

    await eventually(at_the_end)


async def test_every_place_passes_it_and_the_next_holder_of_the_lease_goes_on(stores: MemoryStores) -> None:
    first = Noting("one")
    async with running(following(stores, first).run(1)):
        await write(stores, 1, 2, 3, unreadable=[2])
        await eventually(lambda: has_beside(first, 3))
        await passed(stores, "one")
    assert of_a(first) == [1]
    second = Noting("one")
    async with running(following(stores, second).run(2)):
        await write(stores, 4)
        await eventually(lambda: has_beside(second, 4))
        assert of_a(second) == []
        await repair(stores)
        await write(stores, 5)
        await eventually(lambda: has_beside(second, 5))
    assert behind_1(second) == [2, 3, 4, 5]


async def test_it_is_closed_while_nobody_runs_the_followers(stores: MemoryStores) -> None:
    async with running(following(stores, Noting("one")).run(1)):
        await write(stores, 1, 2, 3, unreadable=[2])
        await eventually(lambda: _opened(stores))
        await passed(stores, "one")
    await repair(stores)
    second = Noting("one")
    async with running(following(stores, second).run(2)):
        await write(stores, 4)
        await eventually(lambda: has_beside(second, 4))
    assert behind_1(second) == [2, 3, 4]


async def _opened(stores: MemoryStores) -> bool:
    return any(hole.is_open for hole in await holes(stores.log))


async def test_a_place_passes_the_closing_only_with_the_work_that_was_held_back(stores: MemoryStores) -> None:
    slow = Noting("slow")
    async with running(following(stores, slow).run(1)):
        await write(stores, 1, 2, 3, unreadable=[2])
        await passed(stores, "slow")
        slow.holding.add("note-a")
        await repair(stores)
        await write(stores, 4)
        await eventually(lambda: of_a(slow) == [1, 2, 3, 4])
    second = Noting("slow")
    async with running(following(stores, second).run(2)):
        await eventually(lambda: behind_1(second) == [2, 3, 4])


async def test_a_follower_that_was_halted_before_it_takes_all_in_order(stores: MemoryStores) -> None:
    halted, quick = Noting("halted", breaking={"note-a"}), Noting("quick")
    async with running(following(stores, halted, quick).run(1)):
        await write(stores, 1, 2, 3, unreadable=[2])
        await eventually(lambda: has_beside(quick, 3))
        await repair(stores)
        await write(stores, 4)
        await eventually(lambda: of_a(quick) == [1, 2, 3, 4])
        halted.taken.clear()
        halted.breaking.clear()
        await eventually(lambda: of_a(halted) == [1, 2, 3, 4])


async def test_a_rebuild_while_it_is_open_comes_out_complete_once_it_is_closed(stores: MemoryStores) -> None:
    await write(stores, 1, 2, 3, unreadable=[2])
    await rebuild(NOTES, stores, owner="me")
    rows = stores.rows(NOTES)
    assert {row.id: row.version for row in await rows.everything(1)}["a"] == 1
    await repair(stores)
    place = (await stores.checkpoints.load())[follower_of(NOTES, 1)]
    projector = Projector(NOTES, rows, 1, NoProbe())
    async with contextlib.aclosing(stores.log.follow(place)) as batches:
        async for batch in batches:
            await (projector.take(batch.commits, 1) or _nothing())
            if not batch.again:
                break
    await rebuild(NOTES, stores, owner="me", verify=True)
    assert await rows.everything(1) == await rows.everything(2)
    assert {row.id: row.version for row in await rows.everything(2)}["a"] == 3


async def _nothing() -> None:
    pass
