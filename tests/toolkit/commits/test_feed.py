"""Feeds: every commit of a kind in the order of the log, from now on or behind a place; who is too slow is cut off."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from treaty.clock import SystemClock
from treaty.commits.feed import Feed, TooFarBehind
from treaty.commits.group_commit import GroupCommitLog
from treaty.domain import Invalid, Rejected
from treaty.memory.commits import MemoryCommits
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.samples import NOTES, Note, noted
from treaty.testing.world import SeededChance


@pytest.fixture
def commits() -> MemoryCommits:
    return MemoryCommits(SystemClock())


@pytest.fixture
def log(commits: MemoryCommits) -> GroupCommitLog:
    return GroupCommitLog(commits, surroundings=Surroundings(chance=SeededChance()))


@pytest.fixture
async def feed(log: GroupCommitLog) -> AsyncIterator[Feed[Note]]:
    feed: Feed[Note] = Feed(log, NOTES.source, ahead=10)
    yield feed
    await feed.close()


class Watcher:
    """Keeps the revisions that it sees, and the place behind the last one."""

    def __init__(self, feed: Feed[Note], after: str = "") -> None:
        self.seen: list[str] = []
        self.place = ""
        self.error: BaseException | None = None
        self._feed, self._after, self._begun = feed, after, asyncio.Event()
        self.may_take = asyncio.Event()
        self.may_take.set()
        self.task = asyncio.create_task(self._watch())

    async def begun(self) -> "Watcher":
        await self._begun.wait()
        return self

    async def _watch(self) -> None:
        async with self._feed.watch(self._after) as watching:
            self.place = watching.place
            self._begun.set()
            try:
                async for entry in watching.entries():
                    assert entry.committed.state.rank == entry.committed.version
                    self.seen.append(entry.committed.revision)
                    self.place = entry.place
                    await self.may_take.wait()
            except (TooFarBehind, Rejected) as error:
                self.error = error

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def _write(log: GroupCommitLog, first: int, last: int) -> list[str]:
    """Appends commits of two streams in turn; returns their revisions."""
    revisions = []
    for version in range(first, last + 1):
        for id in ("a", "b"):
            await log.append(noted(id, version, "ann", version))
            revisions.append(f"{NOTES.source.stream}-{id}@{version}")
    return revisions


async def test_a_watcher_sees_every_commit_from_now_on_in_the_order_of_the_log(
    log: GroupCommitLog, feed: Feed[Note]
) -> None:
    await _write(log, 1, 2)
    watchers = [await Watcher(feed).begun() for _ in range(2)]
    written = await _write(log, 3, 6)
    await eventually(lambda: all(one.seen == written for one in watchers))


async def test_a_watcher_that_comes_back_goes_on_behind_its_place(log: GroupCommitLog, feed: Feed[Note]) -> None:
    watcher = await Watcher(feed).begun()
    first = await _write(log, 1, 3)
    await eventually(lambda: watcher.seen == first)
    await watcher.leave()
    missed = await _write(log, 4, 9)
    again = await Watcher(feed, watcher.place).begun()
    await eventually(lambda: again.seen == missed)
    live = await _write(log, 10, 12)
    await eventually(lambda: again.seen == missed + live)


@pytest.mark.parametrize("stop", [0, 1, 2, 5])
async def test_nothing_is_missed_or_seen_twice_between_the_missed_and_the_live(
    log: GroupCommitLog, feed: Feed[Note], stop: int
) -> None:
    """The watcher comes back while commits are written, and while another watcher keeps the feed alive."""
    await Watcher(feed).begun()
    before = await Watcher(feed).begun()
    first = await _write(log, 1, 2)
    await eventually(lambda: before.seen == first)
    await before.leave()
    missed = await _write(log, 3, 3 + stop)
    again = Watcher(feed, before.place)
    live = await _write(log, 4 + stop, 30)
    await eventually(lambda: again.seen == missed + live)


async def test_the_place_before_the_first_entry_is_a_place_too(log: GroupCommitLog, feed: Feed[Note]) -> None:
    await _write(log, 1, 1)
    watcher = await Watcher(feed).begun()
    await watcher.leave()
    missed = await _write(log, 2, 3)
    again = await Watcher(feed, watcher.place).begun()
    await eventually(lambda: again.seen == missed)


async def test_a_watcher_that_is_too_slow_is_cut_off_and_goes_on_behind_its_place(
    log: GroupCommitLog, feed: Feed[Note]
) -> None:
    slow, quick = await Watcher(feed).begun(), await Watcher(feed).begun()
    slow.may_take.clear()
    written = await _write(log, 1, 20)
    await eventually(lambda: quick.seen == written)
    slow.may_take.set()
    await eventually(slow.task.done)
    assert isinstance(slow.error, TooFarBehind)
    again = await Watcher(feed, slow.place).begun()
    await eventually(lambda: slow.seen + again.seen == written)


async def test_a_watcher_that_catches_up_slowly_is_not_cut_off(log: GroupCommitLog, feed: Feed[Note]) -> None:
    before = await Watcher(feed).begun()
    await before.leave()
    again = Watcher(feed, before.place)
    again.may_take.clear()
    written = await _write(log, 1, 20)
    await eventually(lambda: len(again.seen) == 1)
    again.may_take.set()
    await eventually(lambda: again.seen == written)
    assert again.error is None


async def test_a_place_that_the_log_has_lost_is_refused(
    commits: MemoryCommits, log: GroupCommitLog, feed: Feed[Note]
) -> None:
    watcher, other = await Watcher(feed).begun(), await Watcher(feed).begun()
    await watcher.leave()
    written = await _write(log, 1, 2)
    await eventually(lambda: other.seen == written)
    commits.history_lost = True
    again = Watcher(feed, watcher.place)
    await eventually(again.task.done)
    assert isinstance(again.error, Rejected)
    assert again.error.reason == "PLACE_LOST"


@pytest.mark.parametrize("place", ["?", "bm90aGluZw==", "WzEsIDJd"])
async def test_a_place_that_no_feed_gave_is_refused(feed: Feed[Note], place: str) -> None:
    with pytest.raises(Invalid):
        async with feed.watch(place):
            pass


async def test_a_process_that_drains_ends_the_watching(log: GroupCommitLog, feed: Feed[Note]) -> None:
    live = await Watcher(feed).begun()
    missed = await Watcher(feed, live.place).begun()
    await feed.close()
    await asyncio.gather(live.task, missed.task)
