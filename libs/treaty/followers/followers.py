"""Followers: all work after a commit reads the log in order, each follower with a place and failures of its own.

One process of a context holds the lease and runs them. One reading of the log feeds the followers that keep up; at most
one other reading feeds those that are new, slow or were halted, until they have caught up.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from treaty.chance import backoff
from treaty.commits.log import Batch, CommitLog, Place, StoreAway
from treaty.concurrency.guarded import guarded
from treaty.concurrency.tasks import at_once, until_one_ends
from treaty.followers.groups import Group, order
from treaty.followers.leases import Checkpoints, LeaseLost, Sure
from treaty.followers.track import Follower, Track, abandon
from treaty.projections.rows import Superseded
from treaty.surroundings import Surroundings

logger = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Following:
    """Runs followers while this process holds the lease.

    A follower that fails is halted alone: the others go on, and it is tried again at growing intervals, from its own
    place.

    Attributes:
        window: batches that a follower may have open before the reading waits for it.
        stall_seconds: how long the others wait for one that has no room.
        save_every: seconds between checkpoints; what came after the last one is done again after a crash.
        idle_save_every: seconds between checkpoints of a place that has passed no commit since the last one.
        first_pause, longest_pause: seconds until a halted follower is tried again.
        sure: returns when this process is sure to hold the lease.
    """

    log: CommitLog
    checkpoints: Checkpoints
    followers: Sequence[Follower]
    surroundings: Surroundings
    window: int = 64
    stall_seconds: float = 1.0
    save_every: float = 0.2
    idle_save_every: float = 60.0
    first_pause: float = 0.5
    longest_pause: float = 60.0
    sure: Sure = at_once
    _main: Group = field(default_factory=lambda: Group("main"), init=False)
    _late: Group = field(default_factory=lambda: Group("late"), init=False)
    _later: list[tuple[float, Track]] = field(default_factory=list, init=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self, epoch: int) -> None:
        """Follows until it is cancelled.

        Raises:
            LeaseLost: if another process has taken over.
            StoreAway: if a follower cannot reach the store. The runner begins again with a new epoch, so that earlier
                writes which arrive late are refused.
            Superseded: if a read model has a new generation; then all followers are put together again.
        """
        places = await self.checkpoints.load()
        halted = await self.checkpoints.halted()
        for follower in self.followers:
            place = places.get(follower.name, Place())
            group = self._main if place.token else self._late
            track = Track(follower, place, place)
            if follower.name in halted:  # in an earlier run; that is over once it succeeds
                track.failures, track.halted = 1, True
            group.add(track)
            self.surroundings.probe.gauge("treaty.follower.halted", int(track.halted), follower=follower.name)
        if not self._main.joining:
            self._main.add(*self._late.joining)
            self._late.joining.clear()
        try:
            while True:
                self._revive()
                await self._start(self._main, epoch, lambda batch: False)
                await self._start(self._late, epoch, self._has_caught_up)
                await self._until_something_happens()
                if self._main.is_over():
                    self._main.task = None
                if self._late.is_over():
                    self._late.task = None
                    self._join_main()
        finally:
            await self._main.end()
            await self._late.end()

    async def _start(self, group: Group, epoch: int, until: Callable[[Batch], bool]) -> None:
        """Starts the group's reading, or begins it again if there are new followers."""
        if group.joining:
            await group.end()
            group.join()
        if group.tracks and group.task is None:
            group.task = asyncio.create_task(self._pump(group, epoch, until))

    async def _until_something_happens(self) -> None:
        """Waits until a reading ends, a follower changes its group, or it is time to try a halted one again."""
        if self._main.joining or self._late.joining:
            return
        self._wake.clear()
        waking = asyncio.create_task(self._wake.wait())
        now = asyncio.get_running_loop().time()
        timeout = min((max(at - now, 0.0) for at, _ in self._later), default=None)
        tasks = [group.task for group in (self._main, self._late) if group.task is not None]
        try:
            await asyncio.wait([waking, *tasks], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()

    def _join_main(self) -> None:
        """Lets the followers of the other reading, which have caught up, go on with the main one."""
        self._main.add(*self._late.tracks)
        for track in self._late.tracks:
            track.failures = track.stalls = 0
        self._late.tracks = []

    def _revive(self) -> None:
        """Lets halted followers whose time has come read again, by the other reading."""
        now = asyncio.get_running_loop().time()
        due = [track for at, track in self._later if at <= now]
        self._later = [(at, track) for at, track in self._later if at > now]
        self._late.add(*due)

    def _has_caught_up(self, batch: Batch) -> bool:
        reached = [order(track.place) for track in self._main.tracks]
        return not batch.again and all(order(batch.place) >= place for place in reached)

    async def _pump(self, group: Group, epoch: int, until: Callable[[Batch], bool]) -> None:
        for track in group.tracks:
            track.follower.begin()
        reading = asyncio.create_task(self._read(group, epoch, until))
        try:
            await until_one_ends(reading, asyncio.create_task(self._save_often(group, epoch)))
        finally:
            await abandon(group.tracks)
        await self._save(group, epoch)

    async def _read(self, group: Group, epoch: int, until: Callable[[Batch], bool]) -> None:
        async with contextlib.aclosing(self.log.follow(group.start)) as batches:
            async for batch in batches:
                if batch.again and batch.commits and group.start != Place():
                    logger.info("reading history again", commits=len(batch.commits), reading=group.name)
                await self.sure()
                for track in list(group.tracks):
                    await self._give(group, track, batch, epoch)
                if until(batch) or not group.tracks:
                    break
        for track in list(group.tracks):
            while track in group.tracks and track.open:
                await self._halting(group, track, track.settle)

    async def _give(self, group: Group, track: Track, batch: Batch, epoch: int) -> None:
        """Feeds one follower; one that has no room for long does not hold up the others of its group."""

        async def feed() -> None:
            has_room = await self._has_room(track, may_stall=len(group.tracks) > 1)
            if track not in group.tracks:
                return
            if has_room:
                track.feed(batch, epoch)
                return
            logger.warning("a follower falls behind and goes on by itself", follower=track.follower.name)
            if group is self._main:
                await self._leave(group, track, partial(self._late.add, track))
            else:
                pause = backoff(track.stalls, self.stall_seconds, 5 * self.stall_seconds)
                track.stalls += 1
                await self._leave(group, track, partial(self._try_later, track, pause))

        await self._halting(group, track, feed)

    def _try_later(self, track: Track, pause: float) -> None:
        self._later.append((asyncio.get_running_loop().time() + pause, track))

    async def _has_room(self, track: Track, *, may_stall: bool) -> bool:
        """Returns whether a follower has room in time.

        Raises:
            Exception: the follower's own error, which may be a TimeoutError too.
        """
        patience = asyncio.timeout(self.stall_seconds if may_stall else None)
        try:
            async with patience:
                while len(track.open) >= self.window:
                    await track.settle()
        except TimeoutError:
            if not patience.expired():
                raise
            return False
        return True

    async def _halting(self, group: Group, track: Track, act: Callable[[], object]) -> None:
        """Does something with one follower. If that fails, the follower is halted, and nothing else is."""
        try:
            await guarded(_done(act))
        except (LeaseLost, Superseded, StoreAway):
            raise
        except Exception as error:
            if track not in group.tracks:
                return
            pause = self.surroundings.chance.jitter(backoff(track.failures, self.first_pause, self.longest_pause))
            track.fail()
            await self._leave(group, track, partial(self._try_later, track, pause))
            self.surroundings.probe.gauge("treaty.follower.halted", 1, follower=track.follower.name)
            logger.exception(
                "a follower is halted", follower=track.follower.name, failures=track.failures, again_in=round(pause, 1)
            )
            await self._note(track, f"{type(error).__name__}: {error}"[:500])

    async def _leave(self, group: Group, track: Track, then: Callable[[], None]) -> None:
        """Takes a follower out of a reading, and hands it over, even if the reading is cancelled meanwhile."""
        group.tracks.remove(track)
        try:
            await abandon([track])
        finally:
            then()
            self._wake.set()

    async def _note(self, track: Track, error: str) -> None:
        """Keeps why a follower is halted, for people to look at; empty once it works again."""
        try:
            await self.checkpoints.note(track.follower.name, error)
        except Exception as away:
            logger.debug("a halt cannot be noted", follower=track.follower.name, why=str(away))

    async def _save_often(self, group: Group, epoch: int) -> None:
        while True:
            await asyncio.sleep(self.save_every)
            await self._save(group, epoch)

    async def _save(self, group: Group, epoch: int) -> None:
        for track in list(group.tracks):
            await self._halting(group, track, track.advance)
        now = asyncio.get_running_loop().time()
        moved = [track for track in group.tracks if track.is_to_save(now, self.idle_save_every)]
        if moved:
            await self._store({track.follower.name: track.place for track in moved}, epoch)
        probe = self.surroundings.probe
        for track in list(group.tracks):
            probe.gauge("treaty.follower.open", len(track.open), follower=track.follower.name)
            if track.halted and not track.failures:
                track.halted = False
                probe.gauge("treaty.follower.halted", 0, follower=track.follower.name)
                logger.info("a follower that was halted works again", follower=track.follower.name)
                await self._note(track, "")

    async def _store(self, places: dict[str, Place], epoch: int) -> None:
        self.surroundings.probe.reach("checkpoint.saving")
        await self.checkpoints.save(places, epoch)
        self.surroundings.probe.reach("checkpoint.saved")
        for track in [*self._main.tracks, *self._late.tracks]:
            if track.follower.name in places:
                track.saved, track.saved_at = places[track.follower.name], asyncio.get_running_loop().time()


async def _done(act: Callable[[], object]) -> None:
    done = act()
    if asyncio.iscoroutine(done):
        await done
