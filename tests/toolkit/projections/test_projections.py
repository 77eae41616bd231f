"""Projections: applying a commit again does nothing, the order across streams does not matter, pages cover all."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from treaty.commits.commit import Commit
from treaty.commits.log import StoreAway
from treaty.followers.leases import LeaseLost
from treaty.memory.rows import MemoryRows
from treaty.probes import NoProbe
from treaty.projections.projector import Projector
from treaty.projections.rows import Row
from treaty.projections.view import Page, View
from treaty.testing.samples import NOTES, NoteRow, noted


async def applied(*batches: Sequence[Commit], rows: MemoryRows | None = None, epoch: int = 1) -> MemoryRows:
    rows = rows or MemoryRows(NOTES)
    projector = Projector(NOTES, rows, 0, NoProbe())
    for batch in batches:
        work = projector.take(batch, epoch)
        if work is not None:
            await work
    return rows


async def listed(rows: MemoryRows) -> list[tuple[str, int]]:
    values, after = await View(NOTES, rows).page({}, Page(size=200))
    assert after is None
    return [(value.owner, value.rank) for value in values]


HISTORY = [noted("a", 1, "ann", 1), noted("b", 1, "bob", 5), noted("a", 2, "ann", 9), noted("c", 1, "cat", 3)]


async def test_rows_follow_the_events_of_their_aggregate() -> None:
    assert await listed(await applied(HISTORY)) == [("ann", 9), ("bob", 5), ("cat", 3)]


async def test_other_streams_are_passed() -> None:
    assert await listed(await applied([replace(HISTORY[0], stream="other-a")], HISTORY)) == await listed(
        await applied(HISTORY)
    )


async def test_applying_again_changes_nothing() -> None:
    rows = await applied(HISTORY)
    before = await listed(rows)
    await applied(HISTORY, HISTORY[:2], HISTORY[2:], HISTORY[:1], rows=rows)
    assert await listed(rows) == before
    assert (await rows.load(["a"]))["a"].version == 2


class SlowRows(MemoryRows):
    """Takes its time to answer, less each time; raises while it `fails`."""

    turns = 100
    fails = False

    async def load(self, ids: Sequence[str], generation: int | None = None) -> Mapping[str, Row]:
        found = await super().load(ids, generation)
        if self.fails:
            raise StoreAway("not now")
        self.turns -= 3
        for _ in range(self.turns):
            await asyncio.sleep(0)
        return found


async def test_batches_are_applied_one_after_another_even_if_nobody_waits_in_between() -> None:
    rows = SlowRows(NOTES)
    projector = Projector(NOTES, rows, 0, NoProbe())
    works = [projector.take([noted("a", version, "ann", version)], 1) for version in range(1, 30)]
    for work in works:
        assert work is not None
        await work
    assert await listed(rows) == [("ann", 29)]


async def test_a_removed_row_is_not_listed_and_its_past_does_not_come_back() -> None:
    rows = await applied(HISTORY, [noted("a", 3, "ann", -1)], HISTORY)
    assert await listed(rows) == [("bob", 5), ("cat", 3)]


async def test_a_rebuilt_projection_equals_the_lived_one() -> None:
    lived = await applied(*([commit] for commit in HISTORY))
    assert await listed(await applied(HISTORY)) == await listed(lived)


async def test_an_older_epoch_writes_nothing() -> None:
    rows = await applied(HISTORY[:1], epoch=2)
    with pytest.raises(LeaseLost):
        await applied(HISTORY[1:], rows=rows, epoch=1)
    assert await listed(rows) == [("ann", 1)]


@given(st.permutations(["a"] * 3 + ["b"] * 3 + ["c"] * 3), st.integers(1, 9))
async def test_the_order_across_streams_makes_no_difference(order: list[str], cut: int) -> None:
    versions = {"a": 0, "b": 0, "c": 0}
    commits = []
    for id in order:
        versions[id] += 1
        commits.append(noted(id, versions[id], id, versions[id]))
    expected = {id: NoteRow(owner=id, rank=3) for id in "abc"}
    rows = await applied(commits[:cut], commits[cut:])
    found = {id: NOTES.codec.decode(row.values) for id, row in (await rows.load(list("abc"))).items()}
    assert found == expected


async def test_pages_go_on_where_the_last_one_ended() -> None:
    rows = await applied([noted(f"{n:02d}", 1, "ann" if n % 2 else "bob", n // 4) for n in range(20)])
    view, pages, after = View(NOTES, rows), [], None
    while True:
        values, after = await view.page({"owner": "ann"}, Page(size=3, after=after))
        pages.append([value.rank for value in values])
        if after is None:
            break
    assert pages == [[4, 4, 3], [3, 2, 2], [1, 1, 0], [0]]


async def test_a_reading_that_was_given_up_does_not_hold_the_next_one() -> None:
    rows = SlowRows(NOTES)
    projector = Projector(NOTES, rows, 0, NoProbe())
    first = projector.take([noted("a", 1, "ann", 1)], 1)
    assert first is not None
    given_up = asyncio.ensure_future(first)
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    projector.begin()
    again = projector.take([noted("a", 1, "ann", 1), noted("a", 2, "ann", 2)], 1)
    assert again is not None
    await again
    assert await listed(rows) == [("ann", 2)]


async def test_what_follows_a_batch_that_failed_is_not_shown() -> None:
    rows = SlowRows(NOTES)
    projector = Projector(NOTES, rows, 0, NoProbe())
    failing = projector.take([noted("a", 1, "ann", 1)], 1)
    following = projector.take([noted("a", 2, "ann", 2)], 1)
    rows.fails = True
    assert failing is not None
    assert following is not None
    for work in (failing, following):
        with pytest.raises(StoreAway):
            await work
    rows.fails = False
    assert await listed(rows) == []
