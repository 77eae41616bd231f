"""Watching: every change once, in order, in any process, and a process that drains ends it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from treaty.clock import SystemClock
from treaty.commits.commit import Committed
from treaty.commits.group_commit import GroupCommitLog
from treaty.commits.watch import Watch
from treaty.domain import NotFound
from treaty.memory.commits import MemoryCommits
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.samples import NOTES, Note, noted
from treaty.testing.world import SeededChance


@pytest.fixture
def log() -> GroupCommitLog:
    return GroupCommitLog(MemoryCommits(SystemClock()), surroundings=Surroundings(chance=SeededChance()))


@pytest.fixture
async def watch(log: GroupCommitLog) -> AsyncIterator[Watch[Note]]:
    watch: Watch[Note] = Watch(log, NOTES.source, look_every=0.05)
    yield watch
    await watch.close()


async def _seen(watch: Watch[Note], seen: list[int], after: int = 0) -> None:
    async for change in watch.changes("a", after=after):
        assert isinstance(change, Committed)
        assert change.state.rank == change.version
        seen.append(change.version)


async def test_every_change_is_seen_once_and_in_order(log: GroupCommitLog, watch: Watch[Note]) -> None:
    await log.append(noted("a", 1, "ann", 1))
    seen: list[list[int]] = [[], []]
    watching = [asyncio.create_task(_seen(watch, one)) for one in seen]
    await eventually(lambda: seen == [[1], [1]])
    for version in range(2, 30):
        await log.append(noted("a", version, "ann", version))
        await log.append(noted("b", version - 1, "bob", version - 1))
    await eventually(lambda: seen == [list(range(1, 30))] * 2)
    await watch.close()
    await asyncio.gather(*watching)


async def test_a_watcher_goes_on_where_it_left_off(log: GroupCommitLog, watch: Watch[Note]) -> None:
    for version in range(1, 6):
        await log.append(noted("a", version, "ann", version))
    seen: list[int] = []
    watching = asyncio.create_task(_seen(watch, seen, after=2))
    await eventually(lambda: seen == [3, 4, 5])
    watching.cancel()


async def test_a_process_that_drains_ends_the_watching(log: GroupCommitLog, watch: Watch[Note]) -> None:
    await log.append(noted("a", 1, "ann", 1))
    seen: list[int] = []
    watching = asyncio.create_task(_seen(watch, seen))
    await eventually(lambda: seen == [1])
    await watch.close()
    await watching


async def test_what_is_not_there_cannot_be_watched(watch: Watch[Note]) -> None:
    with pytest.raises(NotFound):
        await anext(aiter(watch.changes("unknown")))


async def test_the_log_is_read_once_for_all_and_only_while_somebody_watches(
    log: GroupCommitLog, watch: Watch[Note]
) -> None:
    await log.append(noted("a", 1, "ann", 1))
    reading = 0
    follow = log.follow

    def counted(place):  # type: ignore[no-untyped-def]
        nonlocal reading
        reading += 1
        return follow(place)

    log.follow = counted  # type: ignore[method-assign]
    seen: list[list[int]] = [[] for _ in range(5)]
    watching = [asyncio.create_task(_seen(watch, one)) for one in seen]
    await eventually(lambda: all(seen))
    await log.append(noted("a", 2, "ann", 2))
    await eventually(lambda: seen == [[1, 2]] * 5)
    assert reading == 1
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    await eventually(lambda: watch._reading is None or watch._reading.done())


async def test_a_watcher_that_keeps_up_reads_nothing(log: GroupCommitLog) -> None:
    watch: Watch[Note] = Watch(log, NOTES.source, look_every=60.0)
    await log.append(noted("a", 1, "ann", 1))
    seen: list[int] = []
    watching = asyncio.create_task(_seen(watch, seen))
    await eventually(lambda: seen == [1])
    await asyncio.sleep(0.05)
    reads, read = 0, log.read

    async def counted(*args: Any, **named: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read(*args, **named)

    log.read = counted
    for version in range(2, 20):
        await log.append(noted("a", version, "ann", version))
    await eventually(lambda: seen == list(range(1, 20)))
    assert reads == 0
    await watch.close()
    await watching


async def test_a_watcher_that_is_far_behind_reads_what_was_not_handed_over(log: GroupCommitLog) -> None:
    watch: Watch[Note] = Watch(log, NOTES.source, look_every=60.0)
    await log.append(noted("a", 1, "ann", 1))
    changes = watch.changes("a")
    seen = [(await anext(changes)).version, await _after(log, changes)]
    for version in range(3, 300):
        await log.append(noted("a", version, "ann", version))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(30):
        seen += [(await anext(changes)).version for _ in range(3, 300)]
    assert seen == list(range(1, 300))
    await watch.close()


async def _after(log: GroupCommitLog, changes: AsyncIterator[Committed[Note]]) -> int:
    """Makes the second change while the watcher waits for it."""
    waiting = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0.05)
    await log.append(noted("a", 2, "ann", 2))
    return (await waiting).version


async def test_a_commit_that_only_its_snapshot_shows_is_read(log: GroupCommitLog, watch: Watch[Note]) -> None:
    await log.append(noted("a", 1, "ann", 1))
    seen: list[int] = []
    watching = asyncio.create_task(_seen(watch, seen))
    await eventually(lambda: seen == [1])
    newer = noted("a", 2, "ann", 2)
    state = NOTES.source.snapshot(Note(id="a", owner="ann", rank=2))
    await log.append(replace(newer, events=[{**newer.events[0], "v": 99}], state=state))
    await log.append(noted("a", 3, "ann", 3))
    await eventually(lambda: seen == [1, 2, 3])
    await watch.close()
    await watching
