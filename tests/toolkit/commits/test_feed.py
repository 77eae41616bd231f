"""Feeds: every commit of a kind in the order of the log, from now on or behind a place; who is too slow is cut off."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Any, cast

import pytest
from treaty.clock import SystemClock
from treaty.commits.codec import Newer
from treaty.commits.feed import Feed, TooFarBehind
from treaty.commits.group_commit import GroupCommitLog
from treaty.commits.log import Batch, CommitLog, Place, StoreAway
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
        self.first = self.place = ""
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
            self.first = self.place = watching.place
            self._begun.set()
            try:
                async for entry in watching.entries():
                    assert entry.committed.state.rank == entry.committed.version
                    self.seen.append(entry.committed.revision)
                    self.place = entry.place
                    await self.may_take.wait()
            except (TooFarBehind, Rejected, Newer, StoreAway) as error:
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


class Counted:
    """A log that counts its open readings, and is slow to begin one."""

    def __init__(self, log: GroupCommitLog) -> None:
        self._log = log
        self.open = self.most = 0
        self.waiting = self.most_waiting = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def follow(self, place: Place) -> AsyncGenerator[Batch, None]:
        self.open += 1
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        await asyncio.sleep(0.01)
        self.waiting -= 1
        try:
            async for batch in self._log.follow(place):
                yield batch
        finally:
            self.open -= 1


@pytest.mark.parametrize("written", [0, 3], ids=["quiet", "missed"])
async def test_watchers_that_come_again_together_soon_share_one_reading(log: GroupCommitLog, written: int) -> None:
    counted = Counted(log)
    feed: Feed[Note] = Feed(cast(CommitLog, counted), NOTES.source)
    before = await Watcher(feed).begun()
    first = await _write(log, 1, 1)
    await eventually(lambda: before.seen == first)
    await before.leave()
    missed = await _write(log, 2, 1 + written)
    watchers = [Watcher(feed, before.place) for _ in range(300)]
    await eventually(lambda: counted.open == 1 and all(one.seen == missed for one in watchers))
    assert counted.most_waiting <= 10
    live = await _write(log, 2 + written, 2 + written)
    await eventually(lambda: all(one.seen == missed + live for one in watchers))
    await feed.close()


class Scripted:
    """A log whose readings are given by a test: first the one for all, then that of a watcher that comes back."""

    def __init__(self, log: GroupCommitLog) -> None:
        self._log = log
        self.common, self.own = asyncio.Queue[Batch](), asyncio.Queue[Batch]()
        self._next = iter((self.common, self.own))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def end(self) -> Place:
        return Place("00")

    async def follow(self, place: Place) -> AsyncGenerator[Batch, None]:
        batches = next(self._next)
        while True:
            yield await batches.get()


async def test_what_two_readings_have_cut_into_other_batches_is_seen_once(log: GroupCommitLog) -> None:
    await _write(log, 1, 3)
    written = await log.peek(Place(), 6)
    scripted = Scripted(log)
    feed: Feed[Note] = Feed(cast(CommitLog, scripted), NOTES.source)
    live = await Watcher(feed).begun()
    scripted.common.put_nowait(Batch(written[:2], Place("02")))
    await eventually(lambda: len(live.seen) == 2)
    again = await Watcher(feed, live.first).begun()
    scripted.own.put_nowait(Batch(written[:4], Place("04")))
    await eventually(lambda: len(again.seen) == 4)
    scripted.common.put_nowait(Batch(written[2:], Place("06")))
    await eventually(lambda: len(live.seen) == 6)
    await eventually(lambda: again.seen == live.seen)
    await feed.close()


async def test_a_watcher_that_comes_from_a_quicker_process_sees_nothing_again(log: GroupCommitLog) -> None:
    await _write(log, 1, 3)
    written = await log.peek(Place(), 6)
    scripted = Scripted(log)
    feed: Feed[Note] = Feed(cast(CommitLog, scripted), NOTES.source)
    live, read, may_go_on = await Watcher(feed).begun(), feed._streams.at, asyncio.Event()

    async def slowly(stream: str, version: int) -> object:
        await may_go_on.wait()
        return await read(stream, version)

    elsewhere = Scripted(log)
    quicker: Feed[Note] = Feed(cast(CommitLog, elsewhere), NOTES.source)
    before = await Watcher(quicker).begun()
    elsewhere.common.put_nowait(Batch(written[:2], Place("02")))
    elsewhere.common.put_nowait(Batch(written[2:3], Place("03")))
    await eventually(lambda: len(before.seen) == 3)
    await quicker.close()
    feed._streams.at = slowly  # type: ignore[method-assign,assignment]
    scripted.common.put_nowait(Batch(written[:4], Place("04")))
    again = await Watcher(feed, before.place).begun()
    await eventually(scripted.common.empty)
    scripted.own.put_nowait(Batch(written[2:3], Place("03")))
    scripted.own.put_nowait(Batch(written[3:4], Place("04")))
    may_go_on.set()
    await eventually(lambda: len(live.seen) == 4 and len(again.seen) == 1)
    scripted.common.put_nowait(Batch(written[4:], Place("06")))
    await eventually(lambda: len(live.seen) == 6 and len(again.seen) == 3)
    assert before.seen + again.seen == live.seen
    await feed.close()


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


async def _write_newer(log: GroupCommitLog, id: str, version: int) -> None:
    """Appends a commit with an event, and a snapshot, that only a later version of the code can read."""
    commit = noted(id, version, "ann", version)
    renamed = {"type": "renamed", "v": 1, "data": {}}
    await log.append(replace(commit, events=[renamed], state={"shape": "another", "data": {}}))


async def test_a_commit_of_a_newer_version_ends_every_watcher_and_none_misses_a_commit(
    log: GroupCommitLog, feed: Feed[Note]
) -> None:
    watchers = [await Watcher(feed).begun() for _ in range(2)]
    written = await _write(log, 1, 2)
    await eventually(lambda: all(one.seen == written for one in watchers))
    await _write_newer(log, "c", 1)
    await eventually(lambda: all(isinstance(one.error, Newer) for one in watchers))
    late = await Watcher(feed).begun()
    live = await _write(log, 3, 3)
    await eventually(lambda: late.seen == live)
    assert [one.seen for one in watchers] == [written, written]


async def test_a_watcher_that_comes_again_does_not_go_past_a_commit_of_a_newer_version(
    log: GroupCommitLog, feed: Feed[Note]
) -> None:
    before = await Watcher(feed).begun()
    await _write_newer(log, "c", 1)
    await eventually(before.task.done)
    await _write(log, 1, 1)
    again = Watcher(feed, before.place)
    await eventually(again.task.done)
    assert isinstance(again.error, Newer)
    assert again.seen == []


async def test_a_reading_that_is_cancelled_from_within_ends_its_watchers(
    commits: MemoryCommits, log: GroupCommitLog, feed: Feed[Note], monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = await Watcher(feed).begun()
    read = log.read

    async def cancelled(*args: object, **kwargs: object) -> object:
        raise asyncio.CancelledError

    monkeypatch.setattr(log, "read", cancelled)
    written = await _write(log, 1, 1)
    await eventually(watcher.task.done)
    assert isinstance(watcher.error, StoreAway)
    monkeypatch.setattr(log, "read", read)
    again = await Watcher(feed, watcher.place).begun()
    await eventually(lambda: again.seen == written)


async def test_a_feed_that_cannot_begin_raises(
    log: GroupCommitLog, feed: Feed[Note], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> Place:
        raise ValueError("no place")

    monkeypatch.setattr(log, "end", broken)
    with pytest.raises(ValueError, match="no place"):
        async with asyncio.timeout(5), feed.watch():
            pass


async def test_a_store_that_is_away_in_the_middle_of_a_batch_repeats_nothing(
    log: GroupCommitLog, feed: Feed[Note], monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = await Watcher(feed).begun()
    read, away = log.read, {"note-b"}

    async def sometimes(stream: str, **kwargs: Any) -> object:
        if stream in away:
            away.clear()
            raise StoreAway("for a moment")
        return await read(stream, **kwargs)

    monkeypatch.setattr(log, "read", sometimes)
    await asyncio.gather(*(log.append(noted(id, 1, "ann", 1)) for id in ("a", "b", "c")))
    await eventually(lambda: len(watcher.seen) >= 3)
    assert sorted(watcher.seen) == ["note-a@1", "note-b@1", "note-c@1"]
