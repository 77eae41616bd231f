"""Projections: applying a commit again does nothing, the order across streams does not matter, pages cover all."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from treaty.commits.commit import Commit
from treaty.commits.log import StoreAway
from treaty.followers.leases import LeaseLost
from treaty.memory.rows import MemoryRows
from treaty.probes import NoProbe
from treaty.projections import projector
from treaty.projections.projection import Projection
from treaty.projections.projector import Projector, RowsMissing, apply
from treaty.projections.rows import Row, Superseded
from treaty.projections.similar import FARTHEST, Near, parts_of
from treaty.projections.view import NotShown, Page, View
from treaty.testing.samples import NOTES, NoteRow, noted


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "_PACE_SECONDS", 0.0)


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


def _steps(id: str, row: NoteRow | None, event: Any) -> NoteRow:
    return NoteRow(owner=event.owner, rank=(row.rank if row else 0) + 1)


STEPS = replace(NOTES, name="steps", project=_steps)
"""Counts the events of each note, so that a row shows one that is missing."""


class SlowRows(MemoryRows):
    """Takes its time to answer, less each time; raises while it `fails`; notes what was loaded and written."""

    turns = 100
    fails = False

    def __init__(self, projection: Projection[Any]) -> None:
        super().__init__(projection)
        self.loaded: list[Sequence[str]] = []
        self.written: list[Sequence[str]] = []

    async def _answer(self) -> None:
        if self.fails:
            raise StoreAway("not now")
        self.turns -= 3
        for _ in range(self.turns):
            await asyncio.sleep(0)

    async def load(self, ids: Sequence[str], generation: int | None = None) -> Mapping[str, Row]:
        self.loaded.append(ids)
        found = await super().load(ids, generation)
        await self._answer()
        return found

    async def store_newer(self, rows: Sequence[Row], generation: int) -> None:
        await self._answer()
        self.written.append([f"{row.id}@{row.version}" for row in rows])
        await super().store_newer(rows, generation)


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


async def test_a_late_write_takes_no_row_back() -> None:
    rows = await applied(HISTORY)
    await applied([noted("a", 1, "ann", 1)], rows=rows, epoch=0)
    assert (await rows.load(["a"]))["a"].version == 2
    assert await listed(rows) == [("ann", 9), ("bob", 5), ("cat", 3)]


PEOPLE = replace(NOTES, name="people", key=lambda note, event: event.owner)
"""A row that the streams of all notes of an owner meet in."""


async def test_rows_that_streams_meet_in_take_nothing_from_an_older_epoch() -> None:
    rows = MemoryRows(PEOPLE)
    await apply(PEOPLE, rows, [noted("a", 1, "ann", 1)], 2, 0)
    with pytest.raises(LeaseLost):
        await apply(PEOPLE, rows, [noted("b", 1, "ann", 7)], 1, 0)
    assert [row.values["rank"] for row in await rows.everything(0) if row.values is not None] == [1]
    await apply(PEOPLE, rows, [noted("a", 1, "ann", 1), noted("b", 1, "ann", 7)], 2, 0)
    assert [row.values["rank"] for row in await rows.everything(0) if row.values is not None] == [7]


async def test_batches_that_arrive_meanwhile_are_shown_together() -> None:
    rows = SlowRows(NOTES)
    projector = Projector(NOTES, rows, 0, NoProbe())
    works = [projector.take([noted(f"n{n}", 1, "ann", n)], 1) for n in range(1000)]
    await asyncio.gather(*(work for work in works if work is not None))
    assert len(rows.written) <= 4
    assert sum(len(ids) for ids in rows.written) == 1000
    assert rows.loaded == [], "the first commit of a stream needs no row from before"


async def test_commits_that_follow_soon_share_a_write_and_one_that_comes_alone_does_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(projector, "_PACE_SECONDS", 0.1)
    rows = SlowRows(NOTES)
    rows.turns = 0
    showing = Projector(NOTES, rows, 0, NoProbe())
    works = [showing.take([noted("a", 1, "ann", 1)], 1)]
    await asyncio.sleep(0.01)
    assert rows.written == [["a@1"]]
    for version in range(2, 8):
        works.append(showing.take([noted("a", version, "ann", version)], 1))
        await asyncio.sleep(0.001)
    await asyncio.gather(*(work for work in works if work is not None))
    assert rows.written == [["a@1"], ["a@7"]]
    assert (await rows.load(["a"]))["a"].version == 7


async def test_a_row_that_was_just_written_is_not_read_again() -> None:
    rows = SlowRows(NOTES)
    rows.turns = 0
    projector = Projector(NOTES, rows, 0, NoProbe())
    for version in range(1, 6):
        await (projector.take([noted("a", version, "ann", version)], 1) or asyncio.sleep(0))
    assert rows.loaded == []
    await rows.store_newer([Row("b", 6, None), Row("a", 8, None)], 0)
    await (projector.take([noted("b", 7, "bob", 7)], 1) or asyncio.sleep(0))
    await (projector.take([noted("a", 9, "ann", 9)], 1) or asyncio.sleep(0))
    assert rows.loaded == [["b"], ["a"]], "versions in between were not seen here"
    projector.begin()
    await (projector.take([noted("a", 10, "ann", 10)], 1) or asyncio.sleep(0))
    assert rows.loaded == [["b"], ["a"], ["a"]], "a new reading remembers nothing"


@pytest.mark.parametrize("made", [STEPS, PEOPLE])
async def test_a_read_model_whose_rows_were_removed_is_not_built_on_nothing(made: Projection[Any]) -> None:
    rows = MemoryRows(made)
    await apply(made, rows, [noted("a", version, "ann", version) for version in range(1, 4)], 1, 0)
    rows._generations[0].clear()
    projector = Projector(made, rows, 0, NoProbe())
    with pytest.raises(RowsMissing, match=rf"{made.name} shows a up to version 0.* rebuild <context>/{made.name}"):
        await (projector.take([noted("a", 4, "ann", 4)], 1) or asyncio.sleep(0))
    assert await rows.everything(0) == []
    projector.begin()
    await (projector.take([noted("b", 1, "bob", 1)], 1) or asyncio.sleep(0))
    assert await rows.everything(0), "a stream that begins now is shown"


@pytest.mark.parametrize(
    "made", [replace(NOTES, key=lambda note, event: None), replace(NOTES, project=lambda *_: None)]
)
async def test_commits_without_a_row_leave_no_gap(made: Projection[Any]) -> None:
    rows = MemoryRows(made)
    for version in range(1, 6):
        empty = replace(noted("a", version, "ann", version), events=[])
        commit = empty if version % 2 else noted("a", version, "ann", version)
        await (Projector(made, rows, 0, NoProbe()).take([commit], 1) or asyncio.sleep(0))
    assert [row.version for row in await rows.everything(0)] == [5]


@given(batches=st.lists(st.sets(st.integers(1, 8), min_size=1), max_size=12))
async def test_repeated_commits_with_gaps_change_nothing(batches: list[set[int]]) -> None:
    """One of the repeated commits could not be read in the meantime, and the others come without it."""
    rows = MemoryRows(STEPS)
    projector = Projector(STEPS, rows, 0, NoProbe())
    every = [noted("a", version, "ann", version) for version in range(1, 9)]
    for batch in [every, *([every[version - 1] for version in sorted(versions)] for versions in batches)]:
        await (projector.take(batch, 1) or asyncio.sleep(0))
    await (projector.take([noted("a", 9, "ann", 9)], 1) or asyncio.sleep(0))
    assert (await rows.load(["a"]))["a"] == Row("a", 9, {"owner": "ann", "rank": 9})


async def test_repeated_commits_with_a_gap_take_the_row_of_the_store() -> None:
    rows = MemoryRows(STEPS)
    await apply(STEPS, rows, [noted("a", version, "ann", version) for version in range(1, 4)], 1, 0)
    projector = Projector(STEPS, rows, 0, NoProbe())
    for versions in ([1, 3], [4]):
        await (projector.take([noted("a", version, "ann", version) for version in versions], 1) or asyncio.sleep(0))
    assert (await rows.load(["a"]))["a"] == Row("a", 4, {"owner": "ann", "rank": 4})


async def test_a_commit_that_cannot_be_shown_holds_back_only_what_is_behind_it() -> None:
    def project(id: str, row: NoteRow | None, event: Any) -> NoteRow | None:
        if event.owner == "eve":
            raise RuntimeError("eve cannot be shown")
        return NoteRow(owner=event.owner, rank=event.rank)

    fragile = replace(NOTES, project=project)
    rows = SlowRows(fragile)
    projector = Projector(fragile, rows, 0, NoProbe())
    owners = ["ann", "bob", "cat", "eve", "dan"]
    works = [projector.take([noted(owner, 1, owner, n)], 1) for n, owner in enumerate(owners)]
    outcomes = await asyncio.gather(*(work for work in works if work is not None), return_exceptions=True)
    assert [outcome is None for outcome in outcomes] == [True, True, True, False, False]
    assert sorted(id for ids in rows.written for id in ids) == ["ann@1", "bob@1", "cat@1"]


class DeafRows(MemoryRows):
    """Takes a cancellation for a broken connection, as a driver may, and answers all the same."""

    async def load(self, ids: Sequence[str], generation: int | None = None) -> Mapping[str, Row]:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.3)
        return await super().load(ids, generation)


@pytest.mark.slow
async def test_a_query_stops_waiting_for_a_revision_although_the_driver_hears_no_cancellation() -> None:
    view: View[NoteRow] = View(NOTES, DeafRows(NOTES), patience=0.1)
    with pytest.raises(NotShown):
        await view.row("a", not_before="note-a@6")


async def test_while_commits_come_another_generation_is_noticed() -> None:
    rows = MemoryRows(NOTES)
    projector = Projector(NOTES, rows, 0, NoProbe())
    await (projector.take([noted("a", 1, "ann", 1)], 1) or asyncio.sleep(0))
    await rows.serve(await rows.begin())
    projector._checked = float("-inf")
    with pytest.raises(Superseded):
        await (projector.take([noted("a", 2, "ann", 2)], 1) or asyncio.sleep(0))


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


@pytest.mark.parametrize("rows", [0, 199, 200, 201, 450])
async def test_a_whole_list_is_read_over_its_pages(rows: int) -> None:
    noted_rows = [noted(f"{n:03d}", 1, "ann" if n < rows else "bob", n) for n in range(rows + 1)]
    found = await View(NOTES, await applied(noted_rows)).every({"owner": "ann"})
    assert [value.rank for value in found] == list(reversed(range(rows)))


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


async def _prints(hashes: Mapping[str, str]) -> "View[Print]":
    """Returns a view of rows with these hashes, by id."""
    prints = Projection(
        name="prints",
        source=NOTES.source,
        row=Print,
        project=lambda _, row, __: row,
        order_by="name",
        filters=("parts",),
    )
    rows = MemoryRows(prints)
    values = {id: {"name": id, "parts": list(parts_of(hash))} for id, hash in hashes.items()}
    await rows.store_newer([Row(id, 1, each) for id, each in values.items()], 0)
    return View(prints, rows)


async def test_similar_rows_come_with_their_distance_the_nearest_first() -> None:
    hashes = {"far": "0000000000ffffff", "near": "0000000000000007", "same": "0000000000000000"}
    prints = await _prints(hashes)
    found = await prints.similar("parts", Near(("0000000000000000",), 10))
    assert [(distance, id, row.name) for distance, id, row in found] == [(0, "same", "same"), (3, "near", "near")]


async def test_the_nearest_of_many_similar_rows_are_found_wherever_they_are_in_the_list() -> None:
    hashes = {f"{n:03}": f"{(1 << (n % 60)) | (1 << (n % 59)) | (1 << (n % 61)):016x}" for n in range(150)}
    hashes |= {"998": "0000000000000001", "999": "0000000000000000"}
    prints = await _prints(hashes)
    for most in (1, 2, 20, 151, 152, 200):
        found = await prints.similar("parts", Near(("0000000000000000",), 10), most=most)
        distances = sorted(int(hash, 16).bit_count() for hash in hashes.values())
        assert [distance for distance, _, _ in found] == distances[:most]
        assert found[0][1] == "999"


@given(st.integers(0, 2**64 - 1), st.sets(st.integers(0, 63), max_size=FARTHEST))
def test_every_near_hash_has_a_key_in_common(hash: int, bits: set[int]) -> None:
    other = hash ^ sum(1 << bit for bit in bits)
    near = Near((f"{hash:016x}",), len(bits))
    assert near.distance_of(parts_of(f"{other:016x}")) == len(bits)
    assert set(near.keys) & set(parts_of(f"{other:016x}"))


@pytest.mark.parametrize("hash", ["", "0", "0" * 17, "g" * 16, "0x" + "0" * 14, "-" + "0" * 15, " " * 16])
def test_what_is_no_hash_is_refused(hash: str) -> None:
    with pytest.raises(ValueError, match="64 bits in hex"):
        parts_of(hash)


def test_a_distance_that_the_index_cannot_search_is_refused() -> None:
    with pytest.raises(ValueError, match="0 to 11"):
        Near(("0" * 16,), 12)


async def test_facets_of_a_view() -> None:
    rows = MemoryRows(NOTES)
    await rows.store_newer([Row(str(n), 1, {"owner": "ann" if n % 3 else "bob", "rank": n}) for n in range(9)], 0)
    found = await View(NOTES, rows).facets({}, "owner")
    assert (found.total, found.counts) == (9, {"owner": [("ann", 6), ("bob", 3)]})
    assert not (await View(NOTES, rows).facets({}, "owner", among=8)).complete


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    name: str
    parts: tuple[int, ...]
