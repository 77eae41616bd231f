"""The contract of holes: a document that cannot be read holds back its stream, in every reading, until it is closed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

import pytest

from treaty.commits.commit import Commit
from treaty.commits.holes import MENDED, SKIPPED, holes, mend, skip
from treaty.commits.log import Batch, CommitLog, Place, Unreadable
from treaty.domain import Invalid
from treaty.testing.samples import plain_commit
from treaty.testing.suites.followed_log import MakeLog


class Damage(Protocol):
    """Damages the commits behind the log's back, as a person may."""

    async def plant(self, commit: Commit) -> None:
        """Stores a commit as a document that cannot be read."""
        ...

    async def repair(self, commit: Commit) -> None:
        """Makes the document readable by hand; it stays in the change stream as it was inserted."""
        ...


class _Reader:
    """Reads a log, and keeps the ids of the commits in the order in which each came first."""

    def __init__(self, log: CommitLog, place: Place | None = None) -> None:
        self.log, self.place = log, place or Place()
        self.first: list[str] = []
        self._following = log.follow(self.place)

    async def until(self, enough: Callable[[Sequence[str]], bool]) -> None:
        async with asyncio.timeout(30):
            while not enough(self.first) or not self.place.token:
                self._take(await anext(self._following))

    def _take(self, batch: Batch) -> None:
        if batch.place != Place():
            self.place = batch.place
        self.first += [c.id for c in batch.commits if c.stream.startswith("thing-") and c.id not in self.first]

    async def seen(self, *commits: Commit) -> None:
        await self.until(lambda ids: {commit.id for commit in commits} <= set(ids))

    async def past(self, log: CommitLog, name: str) -> None:
        """Reads until a commit that is appended now."""
        mark = plain_commit(f"thing-mark-{name}")
        await log.append(mark)
        await self.seen(mark)

    def of(self, stream: str) -> list[int]:
        """Returns the versions of a stream, in the order in which each came first."""
        return [int(id.rpartition("@")[2]) for id in self.first if id.startswith(f"{stream}@")]

    async def close(self) -> None:
        await self._following.aclose()


Read = Callable[..., Awaitable[_Reader]]


class HolesSuite:
    """The contract tests of holes: override the fixtures `make_log` and `damage`."""

    @pytest.fixture
    async def make_log(self) -> MakeLog:
        raise NotImplementedError("override this fixture: it opens the log")

    @pytest.fixture
    async def damage(self) -> Damage:
        raise NotImplementedError("override this fixture: it damages the commits of the log")

    @pytest.fixture
    async def log(self, make_log: MakeLog) -> CommitLog:
        return await make_log()

    @pytest.fixture
    async def read(self, make_log: MakeLog) -> AsyncIterator[Read]:
        """Returns a function that begins a reading, as another process would, and reads to the end of the log."""
        readers: list[_Reader] = []

        async def begin(place: Place | None = None) -> _Reader:
            readers.append(_Reader(await make_log(), place))
            await readers[-1].until(lambda ids: True)
            return readers[-1]

        yield begin
        for reader in readers:
            with contextlib.suppress(RuntimeError):
                await reader.close()

    async def _with_a_hole(self, log: CommitLog, damage: Damage, versions: int = 4, *holes: int) -> None:
        """Appends versions of `thing-1`, and other things between them; the second version cannot be read."""
        for version in range(1, versions + 1):
            commit = plain_commit("thing-1", version)
            await (damage.plant(commit) if version in (holes or (2,)) else log.append(commit))
            await log.append(plain_commit(f"thing-beside-{version}"))

    async def test_it_holds_back_its_own_stream_and_nothing_else(
        self, log: CommitLog, damage: Damage, read: Read
    ) -> None:
        live = await read()
        await self._with_a_hole(log, damage)
        await live.past(log, "a")
        late = await read()
        for reader in (live, late):
            assert reader.of("thing-1") == [1]
            assert all(reader.of(f"thing-beside-{n}") == [1] for n in (1, 2, 3, 4))

    async def test_it_is_listed_with_its_error(self, log: CommitLog, damage: Damage, read: Read) -> None:
        await self._with_a_hole(log, damage)
        await read()
        [hole] = await holes(log)
        assert (hole.stream, hole.version, hole.id) == ("thing-1", 2, plain_commit("thing-1", 2).id)
        assert hole.is_open
        assert hole.error

    async def test_reads_of_the_stream_say_which_commit_it_is(self, log: CommitLog, damage: Damage) -> None:
        await self._with_a_hole(log, damage, 2)
        for ask in (log.head("thing-1"), log.head("thing-1", fresh=True), log.read("thing-1")):
            with pytest.raises(Unreadable) as found:
                await ask
            assert (found.value.stream, found.value.version) == ("thing-1", 2)
        assert [commit.version for commit in await log.read("thing-1", last=1)] == [1]

    async def test_a_look_at_the_log_passes_over_it(self, log: CommitLog, damage: Damage) -> None:
        await self._with_a_hole(log, damage, 2)
        assert len(await log.peek(Place(), 10)) == 3
        assert (await log.behind(Place())).commits >= 3

    async def test_a_reading_that_begins_behind_it_holds_the_stream_too(
        self, log: CommitLog, damage: Damage, read: Read
    ) -> None:
        first = await read()
        await self._with_a_hole(log, damage, 2)
        await first.past(log, "a")
        later = await read(first.place)
        await log.append(plain_commit("thing-1", 3))
        await later.past(log, "b")
        assert later.of("thing-1") == []

    @pytest.mark.parametrize("close", [MENDED, SKIPPED])
    async def test_once_it_is_closed_every_reading_takes_the_rest_in_order(
        self, log: CommitLog, damage: Damage, read: Read, close: str
    ) -> None:
        before, live = await read(), await read()
        await self._with_a_hole(log, damage)
        await live.past(log, "a")
        passed, older = live.place, before.place
        await self._close(log, damage, 2, close)
        await log.append(plain_commit("thing-1", 5))
        await live.past(log, "b")
        assert live.of("thing-1") == [1, 2, 3, 4, 5]
        behind = await read(passed)
        await behind.past(log, "c")
        assert behind.of("thing-1")[-4:] == [2, 3, 4, 5]
        for again in (await read(older), await read(), await read(Place("lost", passed.position))):
            await again.past(log, f"d{id(again)}")
            assert again.of("thing-1") == [1, 2, 3, 4, 5]

    async def _close(self, log: CommitLog, damage: Damage, version: int, how: str) -> None:
        commit = plain_commit("thing-1", version)
        if how == MENDED:
            await damage.repair(commit)
            closed = await mend(log, "thing-1", by="ann", reason="repaired by hand")
        else:
            closed = await skip(log, commit.id, by="ann", reason="of no use")
        assert (closed.state, closed.by) == (how, "ann")

    async def test_a_reading_that_ends_between_the_closing_and_the_rest_misses_nothing(
        self, log: CommitLog, damage: Damage, read: Read
    ) -> None:
        live = await read()
        await self._with_a_hole(log, damage)
        await live.past(log, "a")
        await self._close(log, damage, 2, MENDED)
        place = live.place
        while live.of("thing-1") == [1]:
            place = live.place
            live._take(await anext(live._following))
        next_one = await read(place)
        await next_one.past(log, "b")
        assert next_one.of("thing-1")[-3:] == [2, 3, 4]

    @pytest.mark.parametrize("close", [MENDED, SKIPPED])
    async def test_two_of_them_in_one_stream_are_closed_one_after_the_other(
        self, log: CommitLog, damage: Damage, read: Read, close: str
    ) -> None:
        live = await read()
        await self._with_a_hole(log, damage, 6, 2, 4)
        await live.past(log, "a")
        await self._close(log, damage, 2, close)
        await live.past(log, "b")
        assert live.of("thing-1") == [1, 2, 3]
        assert [hole.version for hole in await holes(log) if hole.is_open] == [4]
        await self._close(log, damage, 4, close)
        await live.past(log, "c")
        assert live.of("thing-1") == [1, 2, 3, 4, 5, 6]
        assert [hole.state for hole in await holes(log)] == [close, close]

    async def test_an_earlier_document_that_turns_unreadable_holds_from_there(
        self, log: CommitLog, damage: Damage, read: Read
    ) -> None:
        await self._with_a_hole(log, damage, 6, 2, 4)
        reader = await read()
        assert reader.of("thing-1") == [1]
        await damage.repair(plain_commit("thing-1", 4))
        await reader.past(log, "a")
        assert [hole.version for hole in await holes(log)] == [2]
        await self._close(log, damage, 2, MENDED)
        await reader.past(log, "b")
        assert reader.of("thing-1") == [1, 2, 3, 4, 5, 6]

    async def test_it_is_not_closed_while_it_cannot_be_read(self, log: CommitLog, damage: Damage, read: Read) -> None:
        await self._with_a_hole(log, damage)
        await read()
        with pytest.raises(Invalid, match="cannot be read"):
            await mend(log, "thing-1", by="ann", reason="hoping")
        await damage.repair(plain_commit("thing-1", 2))
        with pytest.raises(Invalid, match="can be read"):
            await skip(log, plain_commit("thing-1", 2).id, by="ann", reason="hoping")
        assert [hole.is_open for hole in await holes(log)] == [True]

    async def test_a_stream_without_one_cannot_be_mended_or_skipped(self, log: CommitLog) -> None:
        await log.append(plain_commit("thing-1"))
        with pytest.raises(Invalid, match="no open hole"):
            await mend(log, "thing-1", by="ann", reason="x")
        with pytest.raises(Invalid, match="no open hole"):
            await skip(log, plain_commit("thing-1").id, by="ann", reason="x")

    async def test_a_skipped_commit_leaves_an_empty_one_that_names_the_person(
        self, log: CommitLog, damage: Damage, read: Read
    ) -> None:
        await self._with_a_hole(log, damage)
        await read()
        await self._close(log, damage, 2, SKIPPED)
        [empty] = await log.read("thing-1", first=2, last=2)
        assert (empty.events, empty.outbox, empty.calls) == ([], [], [])
        assert [cause.actor for cause in empty.causes] == ["ann"]
        positions = [commit.position for commit in await log.read("thing-1")]
        assert positions == sorted(positions)

    async def test_many_streams_have_holes_at_once(self, log: CommitLog, damage: Damage, read: Read) -> None:
        live = await read()
        for number in range(20):
            await damage.plant(plain_commit(f"thing-{number}"))
            await log.append(plain_commit(f"thing-{number}", 2))
        await live.past(log, "a")
        assert len(await holes(log)) == 20
        for number in range(0, 20, 2):
            await skip(log, plain_commit(f"thing-{number}").id, by="ann", reason="of no use")
        await live.past(log, "b")
        assert all(live.of(f"thing-{number}") == ([] if number % 2 else [1, 2]) for number in range(20))
