"""The contract of the rows of read models; memory and MongoDB pass the same suite."""

import pytest

from treaty.followers.leases import LeaseLost
from treaty.projections.rows import Among, Between, Facets, Key, Outdated, Row, Rows, Superseded, Words, words_of
from treaty.projections.similar import Near, parts_of
from treaty.service.stores import Stores
from treaty.testing.samples import NOTES
from treaty.testing.suites.stores import OnStores


def row(id: str, rank: int, owner: str = "ann", *, version: int = 1) -> Row:
    """Returns a row of `NOTES`."""
    return Row(id, version, {"owner": owner, "rank": rank})


class RowsSuite(OnStores):
    """The contract tests of rows: override the fixture `stores`."""

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

    async def test_a_value_is_among_others(self, rows: Rows) -> None:
        await rows.store([row("a", 1), row("b", 2, "bob"), row("c", 3, "cid")], 1, 0)
        await rows.store([Row("d", 1, {"owner": "zoe", "rank": 4, "tags": ["red", "blue"]})], 1, 0)
        assert [r.id for r in await rows.find({"owner": Among(("ann", "cid", "eve"))}, None, 10)] == ["c", "a"]
        assert [r.id for r in await rows.find({"owner": Among(("ann", "cid")), "rank": 1}, None, 10)] == ["a"]
        assert [r.id for r in await rows.find({"tags": Among(("blue", "black"))}, None, 10)] == ["d"]
        assert not await rows.find({"owner": Among(())}, None, 10)

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

    async def test_near_hashes_are_found_and_no_others(self, rows: Rows) -> None:
        hashes = {f"{bits:02d}": f"{(1 << bits) - 1:016x}" for bits in range(0, 64, 3)}
        await rows.store([_printed(id, hash) for id, hash in hashes.items()], 1, 0)
        await rows.store([Row("flat", 1, {"owner": "ann", "rank": 0, "print": []}), row("other", 0)], 1, 0)
        for distance in (0, 2, 3, 4, 9, 10, 11):
            near = Near((hashes["30"], "f" * 16), distance)
            expected = [id for id in hashes if abs(int(id) - 30) <= distance or 64 - int(id) <= distance]
            found = await rows.find({"print": near}, None, 100)
            assert sorted(r.id for r in found) == expected, distance
            assert await rows.count({"print": near}) == len(expected)
        first = await rows.find({"print": Near((hashes["30"],), 6), "owner": "ann"}, None, 2)
        assert [r.id for r in await rows.find({"print": Near((hashes["30"],), 6)}, (0, first[-1].id), 2)] == [
            "30",
            "27",
        ]

    async def test_facets_count_each_value_of_a_list_that_is_bounded(self, rows: Rows) -> None:
        owners = {"a": "ann", "b": "bob", "c": "ann", "d": "cid", "e": "bob", "f": "eve", "g": None}
        tags = {"a": ["red", "blue"], "b": ["red"], "c": [], "f": ["red", "old"]}
        await rows.store(
            [Row(id, 1, {"owner": o, "rank": ord(id), "tags": tags.get(id, [])}) for id, o in owners.items()], 1, 0
        )
        await rows.store([Row("z", 1, None)], 1, 0)
        found = await rows.facets({}, ["owner", "tags"], most=3, among=100)
        assert (found.total, found.complete) == (7, True)
        assert found.counts == {
            "owner": [("ann", 2), ("bob", 2), ("cid", 1)],
            "tags": [("red", 3), ("blue", 1), ("old", 1)],
        }
        beginning = await rows.facets({"rank": Between(high=ord("f"))}, ["owner"], most=9, among=3)
        assert (beginning.total, beginning.complete) == (3, False)
        assert beginning.counts == {"owner": [("bob", 1), ("cid", 1), ("eve", 1)]}
        assert (await rows.facets({"owner": "ann"}, ["owner"], most=9, among=2)).complete
        assert await rows.facets({"owner": "zoe"}, ["tags"], most=9, among=2) == Facets(
            total=0, complete=True, counts={"tags": []}
        )

    async def test_a_value_of_a_field_with_several_is_one_of_them(self, rows: Rows) -> None:
        await rows.store([Row("a", 1, {"owner": "ann", "rank": 1, "tags": ["red", "blue"]}), row("b", 2)], 1, 0)
        assert [r.id for r in await rows.find({"tags": "blue"}, None, 9)] == ["a"]
        assert not await rows.find({"tags": "blu"}, None, 9)

    async def test_a_generation_is_built_beside_the_one_that_is_served(self, rows: Rows) -> None:
        await rows.store([row("a", 1)], 1, 0)
        assert await rows.begin() == 1
        await rows.store([row("b", 2)], -1, 1)
        assert [r.id for r in await rows.find({}, None, 10)] == ["a"]
        await rows.serve(1)
        assert await rows.generation() == 1
        assert [r.id for r in await rows.find({}, None, 10)] == ["b"]
        assert [r.id for r in await rows.everything(0)] == ["a"]

    async def test_whoever_writes_an_old_generation_is_told(self, rows: Rows) -> None:
        await rows.store([row("a", 1)], 1, 0)
        await rows.serve(await rows.begin())
        with pytest.raises(Superseded):
            await rows.store([row("a", 2)], 1, 0)
        await rows.store([row("a", 3)], 1, 1)
        assert dict(await rows.load(["a"])) == {"a": row("a", 3)}

    async def test_a_write_that_comes_late_changes_nothing(self, rows: Rows) -> None:
        await rows.store([row("a", 1, version=1)], 1, 0, before={"a": 0})
        await rows.store([row("a", 2, version=2)], 1, 0, before={"a": 1})
        for before in (0, 1):
            with pytest.raises(Outdated):
                await rows.store([row("a", 9, version=before + 1), row("b", 9)], 1, 0, before={"a": before})
        with pytest.raises(Outdated):
            await rows.store([row("c", 9, version=4)], 1, 0, before={"c": 3})
        assert dict(await rows.load(["a", "b", "c"])) == {"a": row("a", 2, version=2)}

    async def test_a_row_is_stored_unless_it_is_there_in_that_version_or_a_later_one(self, rows: Rows) -> None:
        await rows.store_newer([row("a", 1, version=1), row("b", 3, version=3)], 0)
        await rows.store_newer([row("a", 2, version=2), row("b", 2, version=2), row("c", 5, version=5)], 0)
        await rows.store_newer([row("c", 9, version=5), Row("a", 4, None)], 0)
        found = dict(await rows.load(["a", "b", "c"]))
        assert found == {"a": Row("a", 4, None), "b": row("b", 3, version=3), "c": row("c", 5, version=5)}

    async def test_many_rows_of_which_some_are_there_already_are_stored(self, rows: Rows) -> None:
        await rows.store_newer([row(f"{n:03d}", n, version=2) for n in range(0, 300, 2)], 0)
        await rows.store_newer([row(f"{n:03d}", n, version=1) for n in range(300)], 0)
        found = await rows.load([f"{n:03d}" for n in range(300)])
        assert [found[f"{n:03d}"].version for n in range(300)] == [1 + (n + 1) % 2 for n in range(300)]

    async def test_no_number_of_a_generation_is_used_twice(self, rows: Rows) -> None:
        for number in (1, 2):
            assert await rows.begin() == number
            assert not await rows.everything(number)
            await rows.store([row("a", 1)], -1, number)
        await rows.serve(2)
        assert await rows.begin() == 3

    async def test_a_generation_is_not_served_after_a_later_one_was_begun(self, rows: Rows) -> None:
        first, second = await rows.begin(), await rows.begin()
        with pytest.raises(Superseded):
            await rows.serve(first)
        await rows.serve(second)
        assert await rows.generation() == second

    async def test_generations_that_are_not_retained_are_dropped(self, rows: Rows) -> None:
        await rows.store([row("a", 1)], 1, 0)
        for number in (1, 2, 3):
            await rows.begin()
            await rows.store([row("b", number)], -1, number)
        assert list(await rows.retain(0, 2)) == [1], "a later generation may be in the making"
        assert list(await rows.retain(0, 3)) == [2]
        assert [r.id for r in await rows.everything(0)] == ["a"]
        assert [r.values for r in await rows.everything(3)] == [row("b", 3).values]
        assert list(await rows.retain(0, 3)) == []


def _printed(id: str, hash: str) -> Row:
    return Row(id, 1, {"owner": "ann", "rank": 0, "print": list(parts_of(hash))})


def _worded(id: str, text: str) -> Row:
    return Row(id, 1, {"owner": "ann", "rank": ord(id), "words": list(words_of(text))})
