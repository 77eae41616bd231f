"""The contract of the rebuild of a read model during writes."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from treaty.commits.log import Place
from treaty.operations.rebuild import AlreadyRebuilding, NotCaughtUp, RebuildLost, rebuild
from treaty.probes import NoProbe
from treaty.projections.projection import Projection
from treaty.projections.projector import Projector, follower_of
from treaty.projections.rows import Row, Rows, Superseded
from treaty.projections.view import NotShown, Page, View
from treaty.service.stores import Stores
from treaty.testing.eventually import eventually
from treaty.testing.samples import NOTES, Noted, noted
from treaty.testing.suites.stores import OnStores


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """The number of an owner's notes, and the sum of their ranks."""

    owner: str
    notes: int = 0
    ranks: int = 0


def _sum(id: str, row: Sum | None, event: Noted) -> Sum:
    row = row or Sum(owner=id)
    return replace(row, notes=row.notes + 1, ranks=row.ranks + event.rank)


SUMS = Projection(
    name="sums",
    source=NOTES.source,
    row=Sum,
    project=_sum,
    order_by="owner",
    descending=False,
    key=lambda note, event: event.owner or None,
)
"""A projection in which several streams share one row."""


class RebuildSuite(OnStores):
    """The contract tests of a rebuild: override the fixture `stores`."""

    @pytest.fixture
    async def written(self, stores: Stores) -> Stores:
        """Stores with a history of notes by two owners, which both read models have applied."""
        await stores.prepare([SUMS])
        for version in range(1, 6):
            for id, owner in (("a", "ann"), ("b", "bob"), ("c", "ann")):
                await stores.log.append(noted(id, version, owner, version))
        await _lived(stores, NOTES, SUMS)
        return stores

    async def test_a_row_that_streams_meet_in_counts_every_commit_once(self, written: Stores) -> None:
        view: View[Sum] = View(SUMS, written.rows(SUMS))
        expected = {"ann": Sum(owner="ann", notes=10, ranks=30), "bob": Sum(owner="bob", notes=5, ranks=15)}
        assert await view.rows(["ann", "bob", "eve"]) == expected
        await _lived(written, NOTES, SUMS)
        assert await view.rows(["ann", "bob"]) == expected
        page, _ = await view.page({}, Page(size=10))
        assert [one.owner for one in page] == ["ann", "bob"], "a mark is not a row"

    @pytest.mark.parametrize("projection", [NOTES, SUMS], ids=lambda p: str(p.name))
    async def test_a_rebuilt_read_model_equals_the_lived_one_and_is_served(
        self, written: Stores, projection: Projection[Any]
    ) -> None:
        before = await written.rows(projection).everything(0)
        rebuilt = await rebuild(projection, written, owner="me", verify=True)
        assert (rebuilt.equal, rebuilt.different) == (True, ())
        assert await written.rows(projection).generation() == 1
        after = await written.rows(projection).everything(1)
        assert sorted(after, key=lambda r: r.id) == sorted(before, key=lambda r: r.id)

    async def test_a_difference_is_found_and_mended(self, written: Stores) -> None:
        rows = written.rows(NOTES)
        wrong = (await rows.load(["a"]))["a"]
        await rows.store([replace(wrong, values={"owner": "eve", "rank": 9})], 9, 0)
        rebuilt = await rebuild(NOTES, written, owner="me", verify=True)
        assert (rebuilt.equal, list(rebuilt.different)) == (False, ["a"])
        assert (await rows.load(["a"]))["a"].values == {"owner": "ann", "rank": 5}

    async def test_commits_during_a_rebuild_are_in_both(self, written: Stores) -> None:
        writing = asyncio.create_task(_write(written, range(6, 40)))
        enough = asyncio.Event()
        living = asyncio.create_task(_live(written, NOTES, enough))
        try:
            rebuilt = await rebuild(NOTES, written, owner="me", verify=True)
            await writing
        finally:
            enough.set()
            await living
        assert rebuilt.equal, rebuilt.different
        await _lived(written, NOTES)
        assert {r.id: r.version for r in await written.rows(NOTES).everything(1)} == {"a": 39, "b": 5, "c": 5}

    async def test_the_next_generation_goes_on_where_the_rebuild_ended(self, written: Stores) -> None:
        await rebuild(NOTES, written, owner="me")
        places = await written.checkpoints.load()
        assert places[follower_of(NOTES, 1)].token
        again = await rebuild(NOTES, written, owner="me", verify=True)
        assert again.equal
        assert await written.rows(NOTES).generation() == 2
        assert set(await written.checkpoints.load()) == {follower_of(NOTES, n) for n in (1, 2)}

    async def test_one_rebuilds_at_a_time(self, written: Stores) -> None:
        await written.leases.acquire("rebuild notes", "somebody", 60)
        with pytest.raises(AlreadyRebuilding):
            await rebuild(NOTES, written, owner="me")

    async def test_a_rebuild_that_loses_its_lease_stops_writing_and_is_never_served(self, written: Stores) -> None:
        slow = _SlowStores(written)
        building = asyncio.create_task(rebuild(NOTES, slow, owner="me", lease_seconds=3.0))
        await eventually(lambda: slow.writing.is_set() or building.done(), within=60)
        assert not building.done(), building
        await written.leases.release("rebuild notes", "me")
        assert await written.leases.acquire("rebuild notes", "thief", 60)
        with pytest.raises(RebuildLost, match="run the rebuild again"):
            await building
        rows = written.rows(NOTES)
        assert (await rows.generation(), list(await rows.everything(1))) == (0, [])
        await written.leases.release("rebuild notes", "thief")
        assert (await rebuild(NOTES, written, owner="again", verify=True)).equal
        assert await rows.generation() == 2
        assert list(await rows.retain(0, 2)) == [], "the generation of the first rebuild was dropped"

    async def test_a_lived_one_that_never_catches_up_is_not_compared(self, written: Stores) -> None:
        await written.log.append(noted("z", 1, "ann", 1))
        with pytest.raises(NotCaughtUp):
            await rebuild(NOTES, written, owner="me", verify=True, patience=0.2)
        assert await written.rows(NOTES).generation() == 0

    async def test_a_query_waits_for_a_revision_and_not_for_ever(self, written: Stores) -> None:
        view: View[Any] = View(NOTES, written.rows(NOTES), patience=0.2)
        assert await view.row("a", not_before="note-a@5")
        with pytest.raises(NotShown):
            await view.row("a", not_before="note-a@6")
        waiting = asyncio.create_task(View(NOTES, written.rows(NOTES)).row("a", not_before="note-a@6"))
        await written.log.append(noted("a", 6, "ann", 66))
        await _lived(written, NOTES)
        assert getattr(await waiting, "rank", None) == 66


class _SlowStores:
    """Stores whose rows are never stored: a call waits for ever, and sets `writing`."""

    def __init__(self, stores: Stores) -> None:
        self._stores, self.writing = stores, asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stores, name)

    def rows(self, projection: Projection[Any]) -> Any:
        return _SlowRows(self._stores.rows(projection), self.writing)


class _SlowRows:
    def __init__(self, rows: Rows, writing: asyncio.Event) -> None:
        self._rows, self._writing = rows, writing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    async def store_newer(self, rows: Sequence[Row], generation: int) -> None:
        self._writing.set()
        await asyncio.Event().wait()


async def _lived(stores: Stores, *projections: Projection[Any]) -> None:
    """Applies all commits in the log, as a follower does."""
    for projection in projections:
        rows = stores.rows(projection)
        projector = Projector(projection, rows, await rows.generation(), NoProbe())
        async with contextlib.aclosing(stores.log.follow(Place())) as batches:
            async for batch in batches:
                work = projector.take(batch.commits, 1)
                if work is not None:
                    await work
                if not batch.again:
                    break


async def _live(stores: Stores, projection: Projection[Any], enough: asyncio.Event) -> None:
    while not enough.is_set():
        with contextlib.suppress(Superseded):
            await _lived(stores, projection)
        await asyncio.sleep(0)


async def _write(stores: Stores, versions: Sequence[int]) -> None:
    for version in versions:
        await stores.log.append(noted("a", version, "ann", version))
