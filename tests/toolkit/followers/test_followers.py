"""Followers: each sees every commit in order, goes on where it was, and stops when its lease is over."""

import asyncio
import random
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from treaty.clock import SystemClock
from treaty.commits.commit import Commit
from treaty.commits.log import Place
from treaty.followers.followers import Following
from treaty.followers.leases import LeaseLost
from treaty.followers.track import Follower
from treaty.memory.commits import MemoryCommits
from treaty.memory.leases import MemoryCheckpoints
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.recorder import Recorder
from treaty.testing.samples import plain_commit
from treaty.testing.world import SeededChance

from tests.toolkit.pieces import running


@dataclass(slots=True)
class Noting:
    """Notes the commits it is given; holds back those of a stream in `holding`, breaks at those in `breaking`."""

    name: str
    taken: list[str] = field(default_factory=list)
    holding: set[str] = field(default_factory=set)
    breaking: set[str] = field(default_factory=set)
    fault: BaseException | None = None

    def begin(self) -> None:
        pass

    def take(self, commits: Sequence[Commit], epoch: int) -> Awaitable[None] | None:
        self.taken += [commit.id for commit in commits]
        if not any(commit.stream in self.holding | self.breaking for commit in commits):
            return None
        return self._hold(commits)

    async def _hold(self, commits: Sequence[Commit]) -> None:
        if any(commit.stream in self.breaking for commit in commits):
            raise self.fault or RuntimeError(f"{self.name} broke")
        await eventually(lambda: not any(commit.stream in self.holding for commit in commits))


@dataclass(slots=True)
class Scene:
    store: MemoryCommits = field(default_factory=lambda: MemoryCommits(SystemClock()))
    checkpoints: MemoryCheckpoints = field(default_factory=MemoryCheckpoints)
    probe: Recorder = field(default_factory=Recorder)

    def following(self, *followers: Follower, window: int = 64) -> Following:
        return Following(
            log=self.store,  # type: ignore[arg-type]
            checkpoints=self.checkpoints,
            followers=followers,
            surroundings=Surroundings(chance=SeededChance(scale=0.02), probe=self.probe),
            window=window,
            save_every=0.005,
        )

    async def write(self, stream: str, *versions: int) -> list[str]:
        """Appends commits one by one, so that each is a batch of its own; returns their ids."""
        for version in versions:
            await self.store.insert([plain_commit(stream, version)])
            await asyncio.sleep(0)
        return [plain_commit(stream, version).id for version in versions]

    async def saved(self, name: str) -> Place:
        return (await self.checkpoints.load()).get(name, Place())

    async def saved_all(self, *names: str) -> None:
        """Waits until the followers' checkpoints are at the end of the log."""
        end = self.store.commits[-1].position
        await eventually(lambda: self._at(end, names))

    async def _at(self, end: tuple[int, int], names: Sequence[str]) -> bool:
        return all([(await self.saved(name)).position == end for name in names])


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_every_follower_sees_every_commit_in_order(scene: Scene) -> None:
    old = await scene.write("thing-1", 1, 2)
    one, two = Noting("one"), Noting("two")
    async with running(scene.following(one, two).run(1)):
        new = await scene.write("thing-1", 3, 4)
        await scene.saved_all("one", "two")
    assert one.taken == two.taken == [*old, *new]


async def test_a_follower_goes_on_behind_its_checkpoint(scene: Scene) -> None:
    await scene.write("thing-1", 1, 2)
    async with running(scene.following(Noting("one")).run(1)):
        await scene.saved_all("one")
    later = await scene.write("thing-1", 3, 4)
    again = Noting("one")
    async with running(scene.following(again).run(2)):
        await scene.saved_all("one")
    assert again.taken == later


async def test_what_was_not_finished_is_taken_again(scene: Scene) -> None:
    ids = await scene.write("thing-1", 1) + await scene.write("thing-2", 1) + await scene.write("thing-3", 1)
    first = Noting("one", holding={"thing-4"})
    async with running(scene.following(first).run(1)):
        await scene.saved_all("one")
        ids += await scene.write("thing-4", 1) + await scene.write("thing-5", 1)
        await eventually(lambda: first.taken == ids)
    assert (await scene.saved("one")).position == scene.store.commits[2].position
    second = Noting("one")
    async with running(scene.following(second).run(2)):
        await scene.saved_all("one")
    assert second.taken == ids[3:]


async def test_a_slow_follower_does_not_hold_the_checkpoint_of_another(scene: Scene) -> None:
    slow, quick = Noting("slow", holding={"thing-1"}), Noting("quick")
    async with running(scene.following(slow, quick).run(1)):
        await scene.write("thing-1", 1, 2)
        await scene.saved_all("quick")
        assert (await scene.saved("slow")).position == (0, 0)
        slow.holding.clear()
        await scene.saved_all("slow")


async def test_no_more_is_read_than_a_follower_may_have_open(scene: Scene) -> None:
    await scene.write("thing-0", 1)
    slow = Noting("slow", holding={"thing-1"})
    async with running(scene.following(slow, window=3).run(1)):
        await scene.saved_all("slow")
        for version in range(1, 21):
            await scene.write("thing-1", version)
            for _ in range(20):
                await asyncio.sleep(0)  # lets the follower read each by itself
        await eventually(lambda: len(slow.taken) > 1)
        assert len(slow.taken) < 21
        slow.holding.clear()
        await eventually(lambda: len(slow.taken) == 21)


async def test_the_holder_of_an_older_lease_is_refused_and_stops(scene: Scene) -> None:
    await scene.write("thing-1", 1)
    old = asyncio.create_task(scene.following(Noting("one")).run(1))
    await scene.saved_all("one")
    async with running(scene.following(Noting("one")).run(2)):
        await scene.write("thing-1", 2)
        await scene.saved_all("one")
        place = await scene.saved("one")
        await scene.write("thing-1", 3)
        with pytest.raises(LeaseLost):
            await asyncio.wait_for(old, 20)
        await scene.saved_all("one")
        assert await scene.saved("one") != place


async def test_a_new_follower_reads_history_while_the_others_go_on(scene: Scene) -> None:
    old = await scene.write("thing-1", 1, 2, 3)
    async with running(scene.following(Noting("old")).run(1)):
        await scene.saved_all("old")
    veteran, novice = Noting("old"), Noting("new", holding={"thing-1"})
    async with running(scene.following(veteran, novice).run(2)):
        await eventually(lambda: novice.taken)
        live = await scene.write("thing-2", 1, 2)
        await scene.saved_all("old")
        assert veteran.taken == live
        novice.holding.clear()
        live += await scene.write("thing-2", 3)
        await scene.saved_all("old", "new")
    assert novice.taken[:3] == old
    assert sorted(set(novice.taken)) == sorted([*old, *live])


async def test_a_lost_history_is_looked_up_again_and_nothing_is_missed(scene: Scene) -> None:
    await scene.write("thing-1", 1, 2)
    async with running(scene.following(Noting("one")).run(1)):
        await scene.saved_all("one")
    later = await scene.write("thing-1", 3, 4)
    scene.store.history_lost = True
    again = Noting("one")
    async with running(scene.following(again).run(2)):
        await scene.saved_all("one")
    assert again.taken[-2:] == later


async def test_a_follower_that_fails_is_halted_alone_and_the_others_go_on(scene: Scene) -> None:
    await scene.write("thing-0", 1)
    broken, one, two = Noting("broken", breaking={"thing-1"}), Noting("one"), Noting("two")
    async with running(scene.following(broken, one, two).run(1)):
        await scene.saved_all("broken", "one", "two")
        before = scene.store.commits[-1].position
        await scene.write("thing-1", 1)
        await scene.write("thing-2", *range(1, 2501))
        await scene.saved_all("one", "two")
        assert len(one.taken) == len(two.taken) == 2502, "no commit came twice to a follower that works"
        assert (await scene.saved("broken")).position == before
        assert scene.probe.gauges["treaty.follower.halted"] == 1
        assert "broken broke" in (await scene.checkpoints.halted())["broken"]


class Panic(BaseException):
    """As a native library raises it."""


async def test_a_follower_that_panics_is_halted_alone_and_tried_again(scene: Scene) -> None:
    await scene.write("thing-0", 1)
    broken, other = Noting("broken", breaking={"thing-1"}, fault=Panic("out of bounds")), Noting("other")
    async with running(scene.following(broken, other).run(1)):
        await scene.saved_all("broken", "other")
        await scene.write("thing-1", 1)
        await scene.saved_all("other")
        await eventually(lambda: scene.probe.gauges["treaty.follower.halted"] == 1)
        broken.breaking.clear()
        await scene.saved_all("broken")


async def test_a_halted_follower_is_tried_again_and_goes_on_where_it_failed(scene: Scene) -> None:
    ids = await scene.write("thing-0", 1)
    broken, other = Noting("broken", breaking={"thing-1"}), Noting("other")
    async with running(scene.following(broken, other).run(1)):
        await scene.saved_all("broken", "other")
        ids += await scene.write("thing-1", 1) + await scene.write("thing-2", 1, 2)
        await eventually(lambda: broken.taken.count(ids[1]) > 2)
        broken.breaking.clear()
        await scene.saved_all("broken", "other")
        await eventually(lambda: scene.probe.gauges["treaty.follower.halted"] == 0)
        ids += await scene.write("thing-3", 1)
        await scene.saved_all("broken", "other")
    assert list(dict.fromkeys(broken.taken)) == ids
    assert sorted(set(other.taken)) == sorted(ids)
    assert await eventually(lambda: _nothing_is_halted(scene))


async def test_a_halted_follower_waits_longer_each_time_although_it_passes_earlier_commits(scene: Scene) -> None:
    for number in range(12):
        await scene.write(f"thing-{number}", 1)
    broken, other = Noting("broken", breaking={"thing-11"}), Noting("other")
    following = scene.following(broken, other)
    following.first_pause = 0.01
    with structlog.testing.capture_logs() as logs:
        async with running(following.run(1)):
            await eventually(lambda: len(_halts(logs)) >= 5)
            assert scene.probe.gauges["treaty.follower.halted"] == 1
            broken.breaking.clear()
            await eventually(lambda: _nothing_is_halted(scene))
    assert _halts(logs) == list(range(1, len(_halts(logs)) + 1))
    assert scene.probe.gauges["treaty.follower.halted"] == 0


async def test_a_follower_whose_own_work_takes_too_long_is_halted_and_does_not_only_fall_behind(scene: Scene) -> None:
    for number in range(6):
        await scene.write(f"thing-{number}", 1)
    broken, other = Noting("broken", breaking={"thing-1"}, fault=TimeoutError("no answer")), Noting("other")
    with structlog.testing.capture_logs() as logs:
        async with running(scene.following(broken, other, window=1).run(1)):
            await eventually(lambda: len(_halts(logs)) >= 2)
    assert "a follower falls behind and goes on by itself" not in [entry["event"] for entry in logs]


def _halts(logs: Sequence[Mapping[str, Any]]) -> list[int]:
    """Returns the number of failures in a row at each halt."""
    return [entry["failures"] for entry in logs if entry["event"] == "a follower is halted"]


async def test_a_halt_is_over_when_a_later_process_succeeds(scene: Scene) -> None:
    await scene.write("thing-0", 1)
    broken, mended = Noting("read model", breaking={"thing-1"}), Noting("read model")
    async with running(scene.following(broken).run(1)):
        await scene.saved_all("read model")
        await scene.write("thing-1", 1)
        await eventually(lambda: scene.probe.gauges.get("treaty.follower.halted") == 1)
    async with running(scene.following(mended).run(2)):
        await scene.saved_all("read model")
        assert await eventually(lambda: _nothing_is_halted(scene))
    assert scene.probe.gauges["treaty.follower.halted"] == 0


async def _nothing_is_halted(scene: Scene) -> bool:
    return not await scene.checkpoints.halted()


async def test_a_follower_that_never_works_costs_the_others_nothing_after_a_restart(scene: Scene) -> None:
    await scene.write("thing-1", 1)
    await scene.write("thing-2", *range(1, 101))
    for epoch in (1, 2):
        broken, other = Noting("broken", breaking={"thing-1"}), Noting("other")
        async with running(scene.following(broken, other).run(epoch)):
            await scene.saved_all("other")
            await eventually(lambda seen=broken: seen.taken)  # type: ignore[misc]
        assert len(set(other.taken)) == (101 if epoch == 1 else 0)


async def test_no_stored_place_ever_goes_back(scene: Scene) -> None:
    stored: dict[str, list[Place]] = {}
    save = scene.checkpoints.save

    async def watched(places: Mapping[str, Place], epoch: int) -> None:
        await save(places, epoch)
        for name, place in places.items():
            stored.setdefault(name, []).append(place)

    scene.checkpoints.save = watched  # type: ignore[method-assign]
    broken, other = Noting("broken", breaking={"thing-5"}), Noting("other")
    async with running(scene.following(broken, other, window=2).run(1)):
        for number in range(1, 30):
            await scene.write(f"thing-{number}", 1)
            scene.store.history_lost = number % 7 == 0
            await asyncio.sleep(0.005)
        broken.breaking.clear()
        await scene.saved_all("broken", "other")
    for name, places in stored.items():
        assert places == sorted(places, key=lambda place: place.position), name


async def test_a_failure_is_noticed_even_if_nothing_else_is_committed(scene: Scene) -> None:
    await scene.write("thing-1", 1)
    async with running(scene.following(Noting("one", breaking={"thing-1"})).run(1)):
        await eventually(lambda: scene.probe.gauges.get("treaty.follower.halted") == 1)
    assert (await scene.saved("one")).position == (0, 0)


async def test_what_a_follower_has_open_is_ended_with_it(scene: Scene) -> None:
    ended = asyncio.Event()

    class Endless(Noting):
        async def _hold(self, commits: Sequence[Commit]) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    follower = Endless("one", holding={"thing-1"})
    await scene.write("thing-1", 1)
    async with running(scene.following(follower).run(1)):
        await eventually(lambda: follower.taken)
        await asyncio.sleep(0)
    assert ended.is_set()


async def test_a_follower_that_is_stuck_does_not_hold_up_the_others_and_misses_nothing(scene: Scene) -> None:
    stuck, quick = Noting("stuck"), Noting("quick")
    following = scene.following(stuck, quick, window=2)
    following.stall_seconds = 0.02
    async with running(following.run(1)):
        first = await scene.write("thing-1", 1)
        await scene.saved_all("stuck", "quick")
        stuck.holding.add("thing-2")
        more = await scene.write("thing-2", 1, 2, 3, 4, 5, 6)
        await eventually(lambda: set(more) <= set(quick.taken))
        later = await scene.write("thing-3", 1)
        await eventually(lambda: set(later) <= set(quick.taken))
        assert not set(later) <= set(stuck.taken)
        stuck.holding.clear()
        await scene.saved_all("stuck", "quick")
    assert list(dict.fromkeys(stuck.taken)) == [*first, *more, *later]


async def test_a_stuck_follower_does_not_hold_up_one_that_was_halted_and_works_again(scene: Scene) -> None:
    stuck, broken, quick = Noting("stuck"), Noting("broken", breaking={"thing-2"}), Noting("quick")
    following = scene.following(stuck, broken, quick, window=2)
    following.stall_seconds = 0.02
    async with running(following.run(1)):
        await scene.write("thing-1", 1)
        await scene.saved_all("stuck", "broken", "quick")
        stuck.holding.add("thing-2")
        more = await scene.write("thing-2", *range(1, 20))
        await eventually(lambda: set(more) <= set(quick.taken))
        await eventually(lambda: "broken broke" in str(scene.checkpoints._errors))
        broken.breaking.clear()
        await scene.saved_all("broken", "quick")
        stuck.holding.clear()
        await scene.saved_all("stuck", "broken", "quick")
    assert set(more) <= set(stuck.taken)


class Lingering(Noting):
    """A follower whose work goes on for a while after it is cancelled."""

    async def _hold(self, commits: Sequence[Commit]) -> None:
        try:
            await Noting._hold(self, commits)
        except asyncio.CancelledError:
            await asyncio.Event().wait()  # until it is cancelled again
            raise


async def test_a_follower_that_is_set_aside_while_the_others_change_is_not_forgotten(scene: Scene) -> None:
    quick, stuck, broken = Noting("quick"), Lingering("stuck"), Noting("broken", breaking={"thing-2"})
    following = scene.following(quick, stuck, broken, window=2)
    following.stall_seconds = 0.02
    async with running(following.run(1)):
        await scene.write("thing-1", 1)
        await scene.saved_all("quick", "stuck", "broken")
        await scene.write("thing-2", 1)
        await eventually(lambda: "broken broke" in str(scene.checkpoints._errors))
        stuck.holding.add("thing-3")
        await scene.write("thing-3", *range(1, 6))
        await eventually(lambda: stuck.name not in [track.follower.name for track in following._main.tracks])
        broken.breaking.clear()
        await scene.saved_all("broken", "quick")
        stuck.holding.clear()
        await scene.saved_all("quick", "stuck", "broken")


@pytest.mark.parametrize("seed", range(8))
async def test_a_follower_that_changes_its_reading_misses_nothing_and_keeps_the_order(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)
    followers = [Noting(name) for name in ("one", "two", "three")]
    following = scene.following(*followers, window=2)
    following.stall_seconds = 0.005
    written: list[str] = []
    async with running(following.run(1)):
        for version in range(1, 150):
            written += await scene.write("thing-1", version)
            chance.choice(followers).holding ^= {"thing-1"}
            await asyncio.sleep(chance.choice([0, 0, 0.001, 0.004]))
        for follower in followers:
            follower.holding.clear()
        await scene.saved_all("one", "two", "three")
    for follower in followers:
        assert list(dict.fromkeys(follower.taken)) == written
