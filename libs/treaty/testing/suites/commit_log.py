"""The contract of a commit log. A subclass opens its log; memory and MongoDB pass the same suite."""

import asyncio
from dataclasses import replace

import pytest

from treaty.commits.commit import Fold
from treaty.commits.log import CommitLog, VersionTaken
from treaty.testing.recorder import Recorder
from treaty.testing.samples import canonical, cause, full_commit, plain_commit
from treaty.testing.suites.followed_log import FollowedLogSuite, MakeLog


class CommitLogSuite(FollowedLogSuite):
    """The contract tests of a commit log: override the fixture `make_log`."""

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
