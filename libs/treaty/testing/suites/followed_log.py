"""The contract of following a commit log, and helpers that follow one in tests."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

import pytest

from treaty.commits.commit import Commit
from treaty.commits.log import Batch, CommitLog, Place
from treaty.probes import NoProbe, Probe
from treaty.testing.samples import canonical, full_commit, plain_commit


class MakeLog(Protocol):
    """Opens the log of this test again, as another process would. The log is empty the first time."""

    def __call__(self, probe: Probe = ...) -> Awaitable[CommitLog]: ...


async def read_until(log: CommitLog, place: Place, enough: Callable[[Sequence[Batch]], bool]) -> Sequence[Batch]:
    """Follows the log until `enough` returns true; fails if it never does."""
    batches: list[Batch] = []
    async with asyncio.timeout(30), aclosing(log.follow(place)) as following:
        async for batch in following:
            batches.append(batch)
            if enough(batches):
                break
    return batches


def ids(batches: Sequence[Batch]) -> list[str]:
    return [commit.id for batch in batches for commit in batch.commits]


def seen(*wanted: Commit) -> Callable[[Sequence[Batch]], bool]:
    """Returns a check that is true once the batches have all these commits and a place to resume from.

    While a log searches its history, the place has no token: a search that is interrupted starts again.
    """
    return lambda batches: {commit.id for commit in wanted} <= set(ids(batches)) and bool(batches[-1].place.token)


class FollowedLogSuite:
    """The contract tests of following a commit log: override the fixture `make_log`."""

    @pytest.fixture
    async def make_log(self) -> MakeLog:
        """Returns (or yields) a function that opens the log."""
        raise NotImplementedError("override this fixture: it opens the log")

    @pytest.fixture
    async def log(self, make_log: MakeLog) -> CommitLog:
        return await make_log(NoProbe())

    async def test_a_follower_from_the_start_reads_history_and_then_goes_on(self, log: CommitLog) -> None:
        old = [plain_commit("thing-1", version) for version in (1, 2, 3)]
        for commit in old:
            await log.append(commit)
        following = asyncio.create_task(read_until(log, Place(), seen(*old, plain_commit("thing-1", 4))))
        await log.append(plain_commit("thing-1", 4))
        batches = await following
        assert batches[0].again
        assert list(dict.fromkeys(ids(batches))) == [plain_commit("thing-1", v).id for v in (1, 2, 3, 4)]

    async def test_followed_commits_are_whole_but_for_their_state(self, log: CommitLog) -> None:
        live, old = full_commit("thing-2"), full_commit("thing-1")
        await log.append(old)
        following = asyncio.create_task(read_until(log, Place(), seen(old, live)))
        await log.append(live)
        found = {commit.id: commit for batch in await following for commit in batch.commits}
        assert all(not commit.state for commit in found.values())
        for sent in (old, live):
            expected, got = canonical(sent), canonical(found[sent.id])
            assert {**expected, "state": None} == {**got, "state": None}

    async def test_followed_commits_have_positions(self, log: CommitLog) -> None:
        last = plain_commit("thing-1", 5)
        for version in range(1, 6):
            await log.append(plain_commit("thing-1", version))
        batches = await read_until(log, Place(), seen(last))
        assert all(commit.position > (0, 0) for batch in batches for commit in batch.commits)
        assert batches[-1].place.position == max(commit.position for b in batches for commit in b.commits)

    async def test_each_stream_is_followed_in_order_under_load(self, log: CommitLog) -> None:
        async def write(stream: str) -> None:
            for version in range(1, 21):
                await log.append(plain_commit(stream, version))

        streams = [f"thing-{n}" for n in range(10)]
        following = asyncio.create_task(read_until(log, Place(), seen(*(plain_commit(s, 20) for s in streams))))
        await asyncio.gather(*(write(stream) for stream in streams))
        order = list(dict.fromkeys(ids(await following)))
        for stream in streams:
            expected = [plain_commit(stream, version).id for version in range(1, 21)]
            assert [id for id in order if id.startswith(f"{stream}@")] == expected

    async def _three_and_the_place_behind(self, log: CommitLog) -> Place:
        """Appends three commits, reads them as they are appended, and returns the place behind them."""
        await log.append(plain_commit("thing-0"))
        commits = [plain_commit("thing-1", version) for version in (1, 2, 3)]
        enough = seen(*commits)
        following = asyncio.create_task(
            read_until(log, Place(), lambda batches: enough(batches) and bool(batches[-1].place.token))
        )
        for commit in commits:
            await log.append(commit)
        return (await following)[-1].place

    async def test_the_tokens_of_places_are_in_the_order_of_the_log(self, make_log: MakeLog) -> None:
        log = await make_log()
        tokens = [(await log.end()).token]
        place = await self._three_and_the_place_behind(log)
        tokens.append(place.token)
        for version in range(1, 12):
            commit = plain_commit("thing-2", version)
            await log.append(commit)
            batches = await read_until(await make_log(), place, seen(commit))
            tokens += [batch.place.token for batch in batches]
            place = batches[-1].place
        tokens.append((await log.end()).token)
        assert tokens == sorted(tokens)
        assert len(set(tokens)) >= 12

    async def test_a_follower_goes_on_from_its_place(self, make_log: MakeLog) -> None:
        log = await make_log()
        place = await self._three_and_the_place_behind(log)
        later = [plain_commit("thing-1", version) for version in (4, 5)]
        for commit in later:
            await log.append(commit)
        batches = await read_until(await make_log(), place, seen(*later))
        assert not any(batch.again for batch in batches)
        assert ids(batches) == [commit.id for commit in later]

    async def test_a_place_whose_token_is_lost_misses_nothing(self, make_log: MakeLog) -> None:
        log = await make_log()
        place = await self._three_and_the_place_behind(log)
        await log.append(plain_commit("thing-1", 4))
        lost = Place("no token of this log", place.position)
        live = plain_commit("thing-1", 5)
        following = asyncio.create_task(read_until(await make_log(), lost, seen(plain_commit("thing-1", 4), live)))
        await log.append(live)
        batches = await following
        assert any(batch.again for batch in batches)
        assert list(dict.fromkeys(ids(batches)))[-2:] == [plain_commit("thing-1", 4).id, live.id]

    async def test_a_lost_token_without_a_position_starts_over(self, make_log: MakeLog) -> None:
        log = await make_log()
        await self._three_and_the_place_behind(log)
        batches = await read_until(log, Place("no token of this log"), seen(plain_commit("thing-1", 3)))
        assert batches[0].again
        assert plain_commit("thing-0").id in ids(batches)

    async def test_two_followers_read_independently(self, log: CommitLog) -> None:
        commits = [plain_commit("thing-1", version) for version in (1, 2, 3)]
        readers = [asyncio.create_task(read_until(log, Place(), seen(*commits))) for _ in range(2)]
        for commit in commits:
            await log.append(commit)
        for reader in readers:
            assert list(dict.fromkeys(ids(await reader))) == [commit.id for commit in commits]

    async def test_following_from_the_end_yields_what_comes_after_and_nothing_before(self, log: CommitLog) -> None:
        await log.append(plain_commit("thing-1", 1))
        end = await log.end()
        await log.append(plain_commit("thing-1", 2))
        batches = await read_until(log, end, seen(plain_commit("thing-1", 2)))
        assert ids(batches) == [plain_commit("thing-1", 2).id]

    async def test_what_is_behind_a_place_is_counted(self, log: CommitLog) -> None:
        place = await self._three_and_the_place_behind(log)
        assert (await log.behind(place)).commits == 0
        for stream in ("thing-5", "thing-6"):
            await log.append(full_commit(stream))
        behind = await log.behind(place)
        assert (behind.commits, behind.events, behind.calls) == (2, 2, 4)

    async def test_the_first_commits_behind_a_place_can_be_looked_at(self, log: CommitLog) -> None:
        await log.append(plain_commit("thing-1"))
        [first] = await log.peek(Place(), 5)
        place = Place("", first.position)
        assert await log.peek(place, 5) == []
        await log.append(plain_commit("thing-2"))
        await log.append(full_commit("thing-3"))
        assert [commit.stream for commit in await log.peek(place, 5)] == ["thing-2", "thing-3"]
        assert [commit.stream for commit in await log.peek(place, 1)] == ["thing-2"]
        [publishing] = await log.peek(place, 1, publishing=True)
        assert (publishing.stream, publishing.state, bool(publishing.outbox)) == ("thing-3", {}, True)

    async def test_streams_are_listed_by_their_beginning(self, log: CommitLog) -> None:
        for name in ("thing-b", "thing-a", "thing-a-1", "other-1"):
            await log.append(plain_commit(name))
        await log.append(plain_commit("thing-a", 2, causes=["again"]))
        assert set(await log.streams("", 10)) == {"thing-b", "thing-a", "thing-a-1", "other-1"}
        assert sorted(await log.streams("thing-", 10)) == ["thing-a", "thing-a-1", "thing-b"]
        assert list(await log.streams("thing-", 2)) == list(await log.streams("thing-", 10))[:2]
        assert await log.streams("nothing", 10) == []
