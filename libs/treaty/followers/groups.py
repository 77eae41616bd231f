"""Groups: followers that one reading of the log feeds."""

import asyncio
from dataclasses import dataclass, field

from treaty.commits.log import Place
from treaty.concurrency.tasks import ended
from treaty.followers.track import Track


@dataclass(slots=True)
class Group:
    """Followers that one reading feeds.

    Attributes:
        joining: followers that it feeds as soon as it has begun again. The reading may be far ahead of their places, so
            a batch of it would make them miss what lies between.
    """

    name: str
    tracks: list[Track] = field(default_factory=list)
    joining: list[Track] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None

    def add(self, *tracks: Track) -> None:
        self.joining.extend(tracks)

    def join(self) -> None:
        """Lets the new followers take part; the reading must have ended."""
        self.tracks.extend(self.joining)
        self.joining.clear()

    @property
    def start(self) -> Place:
        return min((track.place for track in self.tracks), key=order)

    def is_over(self) -> bool:
        """Returns whether the reading has ended by itself. Raises the error that ended it."""
        if self.task is None or not self.task.done():
            return False
        self.task.result()
        return True

    async def end(self) -> None:
        """Ends the reading, and gives up what its followers have open."""
        task, self.task = self.task, None
        if task is not None:
            await ended([task])


def order(place: Place) -> tuple[tuple[int, int], str]:
    """Returns what orders places: the position in the log, and the place in the change stream."""
    return place.position, place.token
