"""The contracts of what keeps read models, and of building them anew; memory and MongoDB pass the same suites."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from treaty.commits.log import Place
from treaty.followers.leases import LeaseLost
from treaty.operations.rebuild import AlreadyRebuilding, NotCaughtUp, rebuild
from treaty.probes import NoProbe
from treaty.projections.projection import Projection
from treaty.projections.projector import Projector, follower_of
from treaty.projections.rows import Between, Key, Row, Rows, Superseded, Words, words_of
from treaty.projections.view import NotShown, View
from treaty.service.stores import Stores
from treaty.testing.samples import NOTES, Noted, noted
from treaty.testing.suites.stores import OnStores


def row(id: str, rank: int, owner: str = "ann", *, version: int = 1) -> Row:
    """Returns a row of `NOTES`."""
    return Row(id, version, {"owner": owner, "rank": rank})


class RowsSuite(OnStores):
    """Override the fixture `stores`."""

    @pytest.fixture
    def rows(self, stores: Stores) -> Rows:
        return stores.rows(NOTES)

    async def test_rows_come_back(self, rows: Rows) -> None:
        await rows.store([row("a", 1), row("b", 2), Row("gone", 4, None)], 1, 0)
        assert dict(await rows.load(["a", "gone", "unknown"])) == {"a": row("a", 1), "gone": Row("gone", 4, None)}

    async def test_a_row_is_replaced(self, rows: Rows) -> None:
        await rows.store([row("a", 1)], 1, 0)
        await rows.store([row("a", 5, version=2)], 1, 0)
        assert dict(await rows.load(["a"])) == {"a": row("a", 5, version=2)}

    async def test_the_highest_come_first_and_equal_ones_by_id(self, rows: Rows) -> None:
        await rows.store([row("a", 1), row("b", 3), row("c", 1), row("d", 2)], 1, 0)
        assert [found.id for found in await rows.find({}, None, 10)] == ["b", "d", "c", "a"]

    async def test_pages_cover_everything_once(self, rows: Rows) -> None:
        await rows.store([row(f"{n:02d}", n // 3) for n in range(20)], 1, 0)
        pages: list[str] = []
        after: Key | None = None
        while found := await rows.find({}, after, 3):
            pages += [r.id for r in found]
            assert found[-1].values is not None
            after = (found[-1].values["rank"], found[-1].id)
        assert pages == [f"{n:02d}" for n in reversed(range(20))]

    async def test_filters_must_all_match(self, rows: Rows) -> None:
        await rows.store([row("a", 1, "ann"), row("b", 1, "bob"), row("c", 2, "ann")], 1, 0)
        assert [found.id for found in await rows.find({"owner": "ann"}, None, 10)] == ["c", "a"]
        assert [found.id for found in await rows.find({"owner": "ann", "rank": 1}, None, 10)] == ["a"]
        assert not await rows.find({"owner": "eve"}, None, 10)
        assert [await rows.count({"owner": name}) for name in ("ann", "bob", "eve")] == [2, 1, 0]

    async def test_removed_rows_are_not_found(self, rows: Rows) -> None:
        await rows.store([row("a", 1), row("b", 2)], 1, 0)
        await rows.store([Row("b", 2, None)], 1, 0)
        assert await rows.count({}) == 1
        assert [found.id for found in await rows.find({}, None, 10)] == ["a"]

    async def test_an_older_epoch_is_refused(self, rows: Rows) -> None:
        await rows.store([row("a", 1)], 2, 0)
        with pytest.raises(LeaseLost):
            await rows.store([row("a", 9, version=2), row("b", 1)], 1, 0)
        assert dict(await rows.load(["a", "b"])) == {"a": row("a", 1)}

    async def test_between_has_bounds_on_either_side(self, rows: Rows) -> None:
        await rows.store([row(str(n), n) for n in range(6)], 1, 0)
        assert [r.id for r in await rows.find({"rank": Between(2, 4)}, None, 10)] == ["4", "3", "2"]
        assert [r.id for r in await rows.find({"rank": Between(low=4)}, None, 10)] == ["5", "4"]
        assert [r.id for r in await rows.find({"rank": Between(high=1)}, None, 10)] == ["1", "0"]

    async def test_each_word_must_begin_one_of_the_rows(self, rows: Rows) -> None:
        texts = {"a": "Green tea, loose", "b": "A green (tea) cup", "c": "Black coffee"}
        await rows.store([_worded(id, text) for id, text in texts.items()], 1, 0)
        for text, found in {
            "gre TEA": "ba",
            "green cup": "b",
            "een": "",
            "tea)": "ba",
            "": "cba",
            "c.ffee": "",
        }.items():
            assert "".join(r.id for r in await rows.find({"words": Words(text)}, None, 10)) == found, text

    async def test_a_generation_is_built_beside_the_one_that_is_served(self, rows: Rows) -> None:
        await rows.store([row("a", 1)], 1, 0)
        await rows.clear(1)
        await rows.store([row("b", 2)], -1, 1)
        assert [r.id for r in await rows.find({}, None, 10)] == ["a"]
        await rows.serve(1)
        assert await rows.generation() == 1
        assert [r.id for r in await rows.find({}, None, 10)] == ["b"]
        assert [r.id for r in await rows.everything(0)] == ["a"]
        await rows.drop(0)

    async def test_whoever_writes_an_old_generation_is_told(self, rows: Rows) -> None:
        await rows.store([row("a", 1)], 1, 0)
        await rows.clear(1)
        await rows.serve(1)
        with pytest.raises(Superseded):
            await rows.store([row("a", 2)], 1, 0)
        await rows.store([row("a", 3)], 1, 1)
        assert dict(await rows.load(["a"])) == {"a": row("a", 3)}

    async def test_a_cleared_generation_is_empty(self, rows: Rows) -> None:
        for _ in range(2):
            await rows.clear(1)
            assert not await rows.everything(1)
            await rows.store([row("a", 1)], -1, 1)


def _worded(id: str, text: str) -> Row:
    return Row(id, 1, {"owner": "ann", "rank": ord(id), "words": list(words_of(text))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """How many notes an owner has written, and their ranks together."""

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
"""Several streams meet in one row."""


class RebuildSuite(OnStores):
    """Override the fixture `stores`."""

    @pytest.fixture
    async def written(self, stores: Stores) -> Stores:
        """Stores with a history of notes by two owners, which both read models show."""
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
        page, _ = await view.page({}, after=None, limit=10)
        assert [one.owner for one in page] == ["ann", "bob"], "marks are no rows"

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


async def _lived(stores: Stores, *projections: Projection[Any]) -> None:
    """Shows all that is in the log, as a follower does."""
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
