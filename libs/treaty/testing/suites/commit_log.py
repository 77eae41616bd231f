"""The contract of a commit log. A subclass opens its log; memory and MongoDB pass the same suite."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

import pytest

from treaty.commits.commit import Commit, Fold
from treaty.commits.log import Batch, CommitLog, Place, VersionTaken
from treaty.probes import NoProbe, Probe
from treaty.testing.recorder import Recorder
from treaty.testing.samples import canonical, cause, full_commit, plain_commit


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


class CommitLogSuite:
    """The contract tests of a commit log: override the fixture `make_log`."""

    @pytest.fixture
    async def make_log(self) -> MakeLog:
        """Returns (or yields) a function that opens the log."""
        raise NotImplementedError("override this fixture: it opens the log")

    @pytest.fixture
    async def log(self, make_log: MakeLog) -> CommitLog:
        return await make_log(NoProbe())

    async def test_everything_comes_back_as_it_was_appended(self, log: CommitLog) -> None:
        sent = full_commit("thing-1")
        await log.append(sent)
        assert [canonical(found) for found in await log.read("thing-1")] == [canonical(sent)]
        head = await log.head("thing-1")
        assert head is not None
        assert canonical(head) == canonical(sent)

    async def test_a_version_is_taken_once(self, log: CommitLog) -> None:
        await log.append(plain_commit("thing-1", token="first"))
        with pytest.raises(VersionTaken):
            await log.append(plain_commit("thing-1", causes=["another"], token="second"))
        assert [commit.token for commit in await log.read("thing-1")] == ["first"]

    async def test_a_cause_takes_effect_once_on_a_stream(self, log: CommitLog) -> None:
        await log.append(plain_commit("thing-1", 1, causes=["a", "b"]))
        with pytest.raises(VersionTaken):
            await log.append(plain_commit("thing-1", 2, causes=["c", "b"]))
        assert len(await log.read("thing-1")) == 1

    async def test_a_cause_may_take_effect_on_several_streams(self, log: CommitLog) -> None:
        await log.append(plain_commit("thing-1", causes=["a"]))
        await log.append(plain_commit("thing-2", causes=["a"]))
        assert len(await log.read("thing-2")) == 1

    async def test_streams_whose_names_begin_alike_are_apart(self, log: CommitLog) -> None:
        names = ["thing-joe", "thing-joe@2024.example.com", "thing-joe@000000000009", "thing-joe@:"]
        for name in names:
            for version in (1, 2):
                await log.append(plain_commit(name, version))
        for name in names:
            for fresh in (False, True):
                head = await log.head(name, fresh=fresh)
                assert head is not None
                assert (head.stream, head.version) == (name, 2)
            assert [(c.stream, c.version) for c in await log.read(name)] == [(name, 1), (name, 2)]
            assert [c.stream for c in await log.read(name, first=2, last=2)] == [name]
        assert sorted(await log.streams("thing-joe", 10)) == sorted(names)

    async def test_the_head_is_the_latest_commit(self, log: CommitLog) -> None:
        assert await log.head("thing-1") is None
        assert await log.head("thing-1", fresh=True) is None
        for version in (1, 2, 3):
            await log.append(plain_commit("thing-1", version))
            await log.append(plain_commit("thing-10", version))
        head = await log.head("thing-1")
        assert head is not None
        assert head.id == plain_commit("thing-1", 3).id

    async def test_a_fresh_head_is_what_another_process_has_just_written(self, make_log: MakeLog) -> None:
        mine, other = await make_log(), await make_log()
        for version in range(1, 11):
            await mine.append(plain_commit("thing-1", version))
            head = await other.head("thing-1", fresh=True)
            assert head is not None
            assert head.version == version

    async def test_a_stream_is_read_between_two_versions(self, log: CommitLog) -> None:
        for version in range(1, 13):
            await log.append(plain_commit("thing-1", version))
            await log.append(plain_commit("thing-11", version))
        assert [commit.version for commit in await log.read("thing-1")] == list(range(1, 13))
        assert [commit.version for commit in await log.read("thing-1", first=9, last=11)] == [9, 10, 11]
        assert [commit.version for commit in await log.read("thing-1", first=12)] == [12]
        assert [commit.stream for commit in await log.read("thing-1", last=2)] == ["thing-1", "thing-1"]
        assert not await log.read("thing-")

    async def test_the_first_commits_of_a_part_are_read_without_their_states(self, log: CommitLog) -> None:
        for version in range(1, 8):
            await log.append(plain_commit("thing-1", version))
        found = await log.read("thing-1", first=2, last=6, states=False, most=3)
        assert [(commit.version, commit.state) for commit in found] == [(2, {}), (3, {}), (4, {})]
        assert [commit.version for commit in await log.read("thing-1", first=6, most=3)] == [6, 7]

    async def test_all_commits_of_streams_that_begin_alike_are_read(self, log: CommitLog) -> None:
        for stream in ("thing-b", "thing-a", "other-a"):
            for version in (1, 2):
                await log.append(plain_commit(stream, version))
        found = [(commit.stream, commit.version) for commit in await log.under("thing-")]
        assert found == [("thing-a", 1), ("thing-a", 2), ("thing-b", 1), ("thing-b", 2)]

    async def test_states_are_kept_by_stream_shape_and_version(self, make_log: MakeLog) -> None:
        log = await make_log()
        for stream, shape, version in (("a", "new", 10), ("a", "new", 20), ("a", "old", 15), ("b", "new", 5)):
            await log.keep(Fold(stream, shape, version, {"shape": shape, "data": {"n": version}}, True))
        again = await make_log()
        for (stream, shape, version), wanted in {
            ("a", "new", 30): 20,
            ("a", "new", 19): 10,
            ("a", "new", 9): None,
            ("a", "old", 30): 15,
            ("b", "old", 30): None,
        }.items():
            kept = await again.kept(stream, shape, version)
            assert (kept and kept.version) == wanted
            assert kept is None or kept.state == {"shape": shape, "data": {"n": wanted}}
        await log.keep(Fold("a", "new", 20, {"shape": "new", "data": {"n": 21}}, False))
        assert await again.kept("a", "new", 20) == Fold("a", "new", 20, {"shape": "new", "data": {"n": 21}}, False)
        await log.forget("a", 15)
        kept = await again.kept("a", "new", 30)
        assert (kept and kept.version, await again.kept("a", "old", 30)) == (10, None)
        assert await again.kept("b", "new", 30) is not None

    async def test_the_commits_of_causes_are_found_on_their_stream_only(self, log: CommitLog) -> None:
        await log.append(plain_commit("thing-1", 1, causes=["a", "b"]))
        await log.append(plain_commit("thing-1", 2, causes=["c"]))
        await log.append(plain_commit("thing-2", 1, causes=["d"]))
        found = await log.caused_by("thing-1", ["b", "a", "c", "d", "e"])
        assert sorted(commit.version for commit in found) == [1, 2]
        assert not await log.caused_by("thing-2", ["a"])

    async def test_the_causes_that_took_effect_are_found_on_any_stream_with_their_steps(self, log: CommitLog) -> None:
        await log.append(plain_commit("thing-1", 1, causes=["made.up/a-1.(x)@1#1/Noted", "other"]))
        await log.append(plain_commit("thing-2", 1, causes=["made.up/a-1@1#2/Noted/step/two"]))
        command = replace(cause("made.up/a-1@1#3/Noted"), digest="that of a client's command")
        await log.append(replace(plain_commit("thing-3"), causes=[command, cause("made.up/a-1@1#4/Noted")]))
        wanted = [f"made.up/a-1@1#{n}/Noted" for n in (1, 2, 4, 5)]
        assert await log.took_effect([*wanted, "made.up/a-1.(x)@1#1/Noted", "made.up/a-1@1#2/Not", "othe"]) == {
            "made.up/a-1.(x)@1#1/Noted",
            "made.up/a-1@1#2/Noted",
            "made.up/a-1@1#4/Noted",
        }
        assert await log.took_effect([]) == set()

    async def test_concurrent_appends_are_all_durable_and_leave_in_groups(self, make_log: MakeLog) -> None:
        probe = Recorder()
        log = await make_log(probe)
        await asyncio.gather(*(log.append(plain_commit(f"thing-{n}")) for n in range(300)))
        heads = await asyncio.gather(*(log.head(f"thing-{n}") for n in range(300)))
        assert all(head is not None and head.version == 1 for head in heads)
        assert len(probe.measures["treaty.commit.batch"]) <= 30

    async def test_one_of_several_racing_writers_wins(self, make_log: MakeLog) -> None:
        logs = [await make_log() for _ in range(3)]
        for version in range(1, 9):
            rivals = [plain_commit("thing-1", version, causes=[f"{version}/{n}"], token=f"{n}") for n in range(9)]
            races = (logs[n % 3].append(rival) for n, rival in enumerate(rivals))
            outcomes = await asyncio.gather(*races, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes if outcome is not None] == [VersionTaken] * 8
            head = await logs[0].head("thing-1", fresh=True)
            assert head is not None
            assert head.token == str(outcomes.index(None))

    async def test_a_duplicate_in_a_group_spoils_nothing_else(self, log: CommitLog) -> None:
        await log.append(plain_commit("thing-0"))
        appends = (log.append(plain_commit(f"thing-{n}", token="again")) for n in range(20))
        outcomes = await asyncio.gather(*appends, return_exceptions=True)
        assert isinstance(outcomes[0], VersionTaken)
        assert outcomes[1:] == [None] * 19

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
