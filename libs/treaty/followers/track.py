"""A follower on its way through the log: how far it has come, and the batches that it has not finished."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from treaty.commits.commit import Commit
from treaty.commits.log import Batch, Place
from treaty.concurrency.tasks import Broken, ended


class Follower(Protocol):
    """Does something with every commit."""

    @property
    def name(self) -> str: ...

    def begin(self) -> None:
        """Starts again: the work that an earlier reading had open was given up, and its commits come again."""
        ...

    def take(self, commits: Sequence[Commit], epoch: int) -> Awaitable[None] | None:
        """Starts on the commits, in order. The awaitable ends when each is done with or safely kept elsewhere."""
        ...


@dataclass(slots=True)
class Track:
    """One follower's way, independent of every other.

    Attributes:
        place: the work on every commit up to here is done. It never goes back.
        saved: the place that the store holds, since `saved_at`.
        open: the batches that the follower has taken and not finished, the oldest first.
        failures: how often in a row it failed, without passing the position where it failed.
        halted: it failed, and has not passed that position since.
        stalls: how often it had no room while others waited, since it last kept up.
    """

    follower: Follower
    place: Place
    saved: Place
    open: deque[tuple[Place, "asyncio.Future[None] | None"]] = field(default_factory=deque)
    failures: int = 0
    halted: bool = False
    stalls: int = 0
    saved_at: float = 0.0
    _tried: Place = field(default_factory=Place)
    _failed: tuple[int, int] = (0, 0)

    def is_to_save(self, now: float, idle: float) -> bool:
        """Returns whether the place has passed commits since it was saved, or has moved for so many seconds."""
        if self.place.position != self.saved.position or bool(self.place.token) != bool(self.saved.token):
            return True
        return self.place != self.saved and now >= self.saved_at + idle

    def feed(self, batch: Batch, epoch: int) -> None:
        """Gives the follower a batch, unless its place is behind that batch already.

        Places are compared inside a change stream only. A scan by position is not quite in the order of the log, so
        the follower takes all of it: its work has no second effect.
        """
        if not batch.again and self.place.token and batch.place.token <= self.place.token:
            return
        self._tried = batch.place
        work = self.follower.take(batch.commits, epoch) if batch.commits else None
        self.open.append((batch.place, None if work is None else asyncio.ensure_future(work)))
        self.advance()

    def advance(self) -> None:
        """Advances the place past finished batches.

        Raises:
            Exception: the follower's error; its place stays before the batch that failed.
        """
        while self.open:
            place, work = self.open[0]
            if work is not None:
                self._tried = place
                if not work.done():
                    return
                if work.cancelled():
                    raise Broken(f"the work of {self.follower.name} was cancelled from within")
                work.result()
            self.open.popleft()
            if place.token or place.position > self.place.position:
                self.place = Place(place.token, max(place.position, self.place.position))
            if self.place.position >= self._failed:
                self.failures = 0

    def fail(self) -> None:
        """Counts a failure. It is over when the place has passed the batch, or has moved if that lies behind."""
        seconds, number = self.place.position
        self._failed = max(self._tried.position, (seconds, number + 1))
        self.failures += 1
        self.halted = True

    async def settle(self) -> None:
        """Waits for the oldest open batch."""
        work = self.open[0][1]
        if work is not None:
            await asyncio.wait([work])
        self.advance()


async def abandon(tracks: Sequence[Track]) -> None:
    """Gives up the open batches of followers, and waits until that is over."""
    works = [work for track in tracks for _, work in track.open if work is not None]
    for track in tracks:
        track.open.clear()
    await ended(works)
