"""Followers: everything that happens after a commit reads the log in order, with a checkpoint of its own.

One process of a context holds the lease and runs them; one reading of the log feeds them all.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from treaty.commits.commit import Commit
from treaty.commits.log import Batch, CommitLog, Place
from treaty.concurrency.tasks import Broken, until_one_ends
from treaty.followers.leases import Checkpoints
from treaty.probes import Probe

logger = structlog.get_logger()


class Follower(Protocol):
    """Does something with every commit."""

    @property
    def name(self) -> str: ...

    def begin(self) -> None:
        """Starts afresh: what an earlier reading had open was given up, and comes again."""
        ...

    def take(self, commits: Sequence[Commit], epoch: int) -> Awaitable[None] | None:
        """Starts on the commits, in order. The awaitable ends when each is done with or safely kept elsewhere."""
        ...


@dataclass(slots=True)
class _Track:
    """A follower on its way: `open` are the batches it has taken and not finished, the oldest first."""

    follower: Follower
    place: Place
    saved: Place
    open: deque[tuple[Place, "asyncio.Future[None] | None"]] = field(default_factory=deque)

    def feed(self, batch: Batch, epoch: int) -> None:
        work = self.follower.take(batch.commits, epoch) if batch.commits else None
        self.open.append((batch.place, None if work is None else asyncio.ensure_future(work)))
        self.advance()

    def advance(self) -> None:
        """Moves the place over what is finished. A follower's error surfaces here and stops the run."""
        while self.open:
            place, work = self.open[0]
            if work is not None:
                if not work.done():
                    return
                if work.cancelled():
                    raise Broken(f"the work of {self.follower.name} was cancelled from within")
                work.result()
            self.open.popleft()
            self.place = place

    async def settle(self) -> None:
        """Waits for the oldest open batch."""
        work = self.open[0][1]
        if work is not None:
            await asyncio.wait([work])
        self.advance()

    async def abandon(self) -> None:
        """Cancels what is open, and waits until that is over."""
        works = [work for _, work in self.open if work is not None]
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)


@dataclass(slots=True, kw_only=True)
class Following:
    """Runs followers while this process holds the lease.

    Attributes:
        window: batches that a follower may have open before the reading waits for it.
        stall_seconds: how long the others wait for one that has no room.
        save_every: seconds between checkpoints; what came after the last one is done again after a crash.
    """

    log: CommitLog
    checkpoints: Checkpoints
    followers: Sequence[Follower]
    probe: Probe
    window: int = 64
    stall_seconds: float = 1.0
    save_every: float = 0.2

    async def run(self, epoch: int) -> None:
        """Follows until it is cancelled.

        Raises:
            LeaseLost: if another process has taken over.
        """
        stalled: set[str] = set()
        while True:
            places = await self.checkpoints.load()
            tracks = [_track(f, places.get(f.name, Place())) for f in self.followers]
            try:
                await self._run_in_groups(tracks, stalled, epoch)
                stalled.clear()
            except _Stalled as stall:
                logger.warning("a follower falls behind and goes on by itself", follower=stall.name)
                stalled.add(stall.name)

    async def _run_in_groups(self, tracks: list[_Track], stalled: set[str], epoch: int) -> None:
        """Runs until a group that reads by itself has reached the others.

        A follower that starts from nothing reads the history by itself, so that the others need not see it again;
        one that cannot keep up goes on by itself, so that the others need not wait for it.
        """
        for track in tracks:
            track.follower.begin()
        new = [t for t in tracks if not t.place.token]
        late = [t for t in tracks if t.place.token and t.follower.name in stalled]
        together = [t for t in tracks if t not in new and t not in late]
        if not together:
            together, new, late = tracks, [], []
        reached = max((t.place for t in together), key=_order)
        pumps = [self._pump(together, epoch, may_stall=len(together) > 1)]
        if new:
            pumps.append(self._pump(new, epoch, until=lambda batch: not batch.again))
        if late:
            pumps.append(self._pump(late, epoch, until=lambda batch: _order(batch.place) >= _order(reached)))
        await until_one_ends(*(asyncio.create_task(pump) for pump in pumps))

    async def _pump(
        self,
        tracks: list[_Track],
        epoch: int,
        *,
        until: Callable[[Batch], bool] = lambda batch: False,
        may_stall: bool = False,
    ) -> None:
        reading = asyncio.create_task(self._read(tracks, epoch, until, may_stall))
        try:
            await until_one_ends(reading, asyncio.create_task(self._save_often(tracks, epoch)))
        finally:
            for track in tracks:
                await track.abandon()
        await self._save(tracks, epoch)

    async def _read(self, tracks: list[_Track], epoch: int, until: Callable[[Batch], bool], may_stall: bool) -> None:
        start = min((t.place for t in tracks), key=_order)
        async with contextlib.aclosing(self.log.follow(start)) as batches:
            async for batch in batches:
                if batch.again and batch.commits:
                    logger.info("reading history again", commits=len(batch.commits))
                for track in tracks:
                    await self._make_room(track, may_stall)
                    track.feed(batch, epoch)
                if until(batch):
                    break
        for track in tracks:
            while track.open:
                await track.settle()

    async def _make_room(self, track: _Track, may_stall: bool) -> None:
        """Waits until the follower may take another batch; not for long, if others wait with it."""
        if len(track.open) < self.window:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.stall_seconds if may_stall else None):
                while len(track.open) >= self.window:
                    await track.settle()
                return
        raise _Stalled(track.follower.name)

    async def _save_often(self, tracks: list[_Track], epoch: int) -> None:
        while True:
            await asyncio.sleep(self.save_every)
            await self._save(tracks, epoch)

    async def _save(self, tracks: list[_Track], epoch: int) -> None:
        for track in tracks:
            track.advance()
        moved = {t.follower.name: t.place for t in tracks if t.place != t.saved}
        if moved:
            self.probe.reach("checkpoint.saving")
            await self.checkpoints.save(moved, epoch)
            self.probe.reach("checkpoint.saved")
        for track in tracks:
            track.saved = moved.get(track.follower.name, track.saved)
            self.probe.gauge("treaty.follower.open", len(track.open), follower=track.follower.name)


class _Stalled(Exception):
    """A follower has had no room for a while."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _order(place: Place) -> tuple[tuple[int, int], str]:
    return place.position, place.token


def _track(follower: Follower, place: Place) -> _Track:
    return _Track(follower, place, place)
