"""Long streams in another shape: folded once, in parts, for all who ask, and then read like new ones."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from treaty.commits.commit import Commit
from treaty.commits.group_commit import GroupCommitLog
from treaty.commits.moments import version_at
from treaty.commits.streams import Streams
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.samples import cause
from treaty.testing.world import ManualClock, SeededChance

from tests.toolkit.bank import ACCOUNTS, Account, WatchedCommits
from tests.toolkit.commits.test_snapshots import COUNTING, CountingAccount

LONG = 2300
STREAM = ACCOUNTS.stream_of("ann")


class CountedCommits(WatchedCommits):
    """Counts the commits that it gives out, and how many of them have a state; the reads can be held up."""

    def __init__(self) -> None:
        super().__init__()
        self.read_commits = self.read_states = self.most_at_once = 0
        self.open = asyncio.Event()
        self.open.set()

    async def read(self, stream: str, **part: Any) -> Sequence[Commit]:
        await self.open.wait()
        found = await super().read(stream, **part)
        self.read_commits += len(found)
        self.read_states += sum(bool(commit.state) for commit in found)
        self.most_at_once = max(self.most_at_once, len(found))
        return found


def deposited(version: int, stored: Any = ACCOUNTS, state: Any = None) -> Commit:
    """Returns a commit that deposits 1, with the snapshot of a version of the code."""
    return Commit(
        stream=STREAM,
        version=version,
        causes=[cause(f"c{version}", events=1)],
        events=[{"type": "deposited", "v": 1, "data": {"amount": 1}}],
        state=stored.snapshot(state or Account(id="ann", balance=version)),
        outbox=[],
        sequence=0,
        calls=[],
        token=f"t{version}",
    )


@pytest.fixture
async def store() -> CountedCommits:
    store = CountedCommits()
    await store.insert([deposited(version) for version in range(1, LONG + 1)])
    return store


def streams(store: CountedCommits, stored: Any = COUNTING) -> Streams[Any]:
    """Returns the streams as a process of another version opens them."""
    return Streams(GroupCommitLog(store, surroundings=Surroundings(chance=SeededChance())), stored)


async def test_a_long_stream_is_folded_in_parts_without_its_old_states(store: CountedCommits) -> None:
    head = await streams(store).head(STREAM)
    assert head.state == CountingAccount(id="ann", balance=LONG, deposits=LONG)
    assert store.read_commits == LONG
    assert store.read_states == 0
    assert store.most_at_once <= 250


async def test_once_folded_it_is_read_like_a_new_one_by_every_process(store: CountedCommits) -> None:
    await streams(store).head(STREAM)
    store.read_commits = 0
    for _ in range(3):
        head = await streams(store).head(STREAM)
        assert head.state.deposits == LONG
    assert store.read_commits == 0
    await store.insert([deposited(LONG + 1)])
    assert (await streams(store).head(STREAM)).state.deposits == LONG + 1
    assert store.read_commits == 1


async def test_callers_at_the_same_time_share_one_fold(store: CountedCommits) -> None:
    reading = streams(store)
    heads = await asyncio.gather(*(reading.head(STREAM) for _ in range(20)))
    assert {head.state.deposits for head in heads} == {LONG}
    assert store.read_commits == LONG


async def test_a_fold_goes_on_when_all_its_callers_give_up(store: CountedCommits) -> None:
    reading = streams(store)
    store.open.clear()
    asking = [asyncio.create_task(reading.head(STREAM)) for _ in range(2)]
    await asyncio.sleep(0.01)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await reading.head(STREAM)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    store.open.set()
    await eventually(lambda: bool(store.folds) and not reading._folds._under_way)
    store.read_commits = 0
    await reading.head(STREAM)
    assert store.read_commits == 0


async def test_a_failed_fold_is_begun_again_by_the_next_caller(store: CountedCommits) -> None:
    reading = streams(store)
    store.unreadable.add(deposited(1500).id)
    for _ in range(2):
        with pytest.raises(Exception, match="cannot be read"):
            await reading.head(STREAM)
    store.unreadable.clear()
    store.read_commits = 0
    assert (await reading.head(STREAM)).state.deposits == LONG
    assert store.read_commits == LONG - 1000


async def test_two_versions_of_the_code_that_write_in_turn_fold_little(store: CountedCommits) -> None:
    await streams(store).head(STREAM)
    await streams(store, ACCOUNTS).head(STREAM)
    store.read_commits = 0
    turns = 20
    for turn in range(turns):
        version = LONG + 1 + turn
        if turn % 2:
            await store.insert([deposited(version)])
        else:
            state = CountingAccount(id="ann", balance=version, deposits=version)
            await store.insert([deposited(version, COUNTING, state)])
        assert (await streams(store, ACCOUNTS).head(STREAM)).state.balance == version
        assert (await streams(store).head(STREAM)).state.deposits == version
    assert store.read_commits <= turns * 2 * (LONG % 1000 + turns)


async def test_an_old_version_is_folded_from_the_nearest_state_that_was_kept(store: CountedCommits) -> None:
    reading = streams(store)
    await reading.head(STREAM)
    store.read_commits = 0
    past = await reading.at(STREAM, 2010)
    assert past is not None
    assert past.state.deposits == 2010
    assert store.read_commits <= 1 + 10


async def test_a_moment_is_found_with_few_reads() -> None:
    store = CountedCommits()
    clock: Any = store._clock
    assert isinstance(clock, ManualClock)
    for version in range(1, 1001):
        clock.advance(10)
        await store.insert([deposited(version)])
    start = (await store.read(STREAM, last=1))[0].stored_at
    reading = streams(store, ACCOUNTS)
    for seconds, version in ((-1, 0), (0, 1), (4, 1), (10, 2), (5000, 501), (9990, 1000), (99_999, 1000)):
        store.read_commits = 0
        found = await reading.as_of(STREAM, start + timedelta(seconds=seconds))
        assert (found.version if found else 0) == version
        assert store.read_commits <= 12
    log = GroupCommitLog(store, surroundings=Surroundings())
    assert await version_at(log, "account-unknown", start) == 0
