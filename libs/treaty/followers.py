"""Followers: everything that happens after a commit reads the log in order, with a checkpoint of its own.

One process of a context holds the lease and runs them; one reading of the log feeds them all.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from treaty.commits import Batch, Commit, CommitLog, Place
from treaty.probes import Probe

log = structlog.get_logger()


class LeaseLost(Exception):
    """Another process holds the lease by now. Stop at once."""


class Leases(Protocol):
    """Says which process does what only one may do. Times are the server's."""

    async def acquire(self, name: str, owner: str, seconds: float) -> int | None:
        """Takes or renews the lease. Returns its epoch, which grows with each new owner, or None: somebody has it."""
        ...

    async def release(self, name: str, owner: str) -> None:
        """Gives the lease up early."""
        ...


class Checkpoints(Protocol):
    """Keeps the places of followers. A holder of an older epoch is refused."""

    async def load(self) -> Mapping[str, Place]:
        """Returns the place of every follower that has one."""
        ...

    async def save(self, places: Mapping[str, Place], epoch: int) -> None:
        """Stores places.

        Raises:
            LeaseLost: if a newer epoch has stored its own.
        """
        ...


class Follower(Protocol):
    """Does something with every commit."""

    @property
    def name(self) -> str: ...

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
        save_every: seconds between checkpoints; what came after the last one is done again after a crash.
    """

    log: CommitLog
    checkpoints: Checkpoints
    followers: Sequence[Follower]
    probe: Probe
    window: int = 64
    save_every: float = 0.2

    async def run(self, epoch: int) -> None:
        """Follows until it is cancelled.

        Raises:
            LeaseLost: if another process has taken over.
        """
        while True:
            places = await self.checkpoints.load()
            tracks = [_track(f, places.get(f.name, Place())) for f in self.followers]
            new = [t for t in tracks if not t.place.token]
            if not new or len(new) == len(tracks):
                await self._pump(tracks, epoch)
            await self._catch_up(new, [t for t in tracks if t.place.token], epoch)

    async def _catch_up(self, new: list[_Track], others: list[_Track], epoch: int) -> None:
        """A follower that starts from nothing reads the history by itself, so that the others need not see it again."""
        going_on = asyncio.create_task(self._pump(others, epoch))
        await _until_one_ends(asyncio.create_task(self._pump(new, epoch, only_history=True)), going_on)

    async def _pump(self, tracks: list[_Track], epoch: int, *, only_history: bool = False) -> None:
        start = min((t.place for t in tracks), key=lambda place: (place.position, place.token))
        reading = asyncio.create_task(self._read(start, tracks, epoch, only_history))
        try:
            await _until_one_ends(reading, asyncio.create_task(self._save_often(tracks, epoch)))
        finally:
            for track in tracks:
                await track.abandon()
        await self._save(tracks, epoch)

    async def _read(self, start: Place, tracks: list[_Track], epoch: int, only_history: bool) -> None:
        async with contextlib.aclosing(self.log.follow(start)) as batches:
            async for batch in batches:
                await self._feed(tracks, batch, epoch)
                if only_history and not batch.again:
                    break
        for track in tracks:
            while track.open:
                await track.settle()

    async def _feed(self, tracks: list[_Track], batch: Batch, epoch: int) -> None:
        if batch.again and batch.commits:
            log.info("reading history again", commits=len(batch.commits))
        for track in tracks:
            while len(track.open) >= self.window:
                await track.settle()
            track.feed(batch, epoch)

    async def _save_often(self, tracks: list[_Track], epoch: int) -> None:
        while True:
            await asyncio.sleep(self.save_every)
            await self._save(tracks, epoch)

    async def _save(self, tracks: list[_Track], epoch: int) -> None:
        for track in tracks:
            track.advance()
        moved = {t.follower.name: t.place for t in tracks if t.place != t.saved}
        if moved:
            await self.checkpoints.save(moved, epoch)
        for track in tracks:
            track.saved = moved.get(track.follower.name, track.saved)
            self.probe.gauge("treaty.follower.open", len(track.open), follower=track.follower.name)


async def _until_one_ends(*tasks: "asyncio.Task[None]") -> None:
    """Waits for the first task to end, ends the others, and raises what it raised."""
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _track(follower: Follower, place: Place) -> _Track:
    return _Track(follower, place, place)
