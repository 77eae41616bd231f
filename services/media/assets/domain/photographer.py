"""A photographer whose personal data was erased."""

from dataclasses import dataclass
from datetime import datetime

from treaty.domain import Aggregate

from services.media.assets.domain.events import PhotographerErased


@dataclass(slots=True, kw_only=True)
class Photographer(Aggregate[PhotographerErased]):
    """An erasure is also for pictures that were uploaded before it and are inspected after it.

    Which was first, follows from the number of erasures when a picture was uploaded: clocks of processes may differ.
    """

    erased_at: datetime | None = None
    erasures: int = 0

    def erase(self, now: datetime) -> None:
        self.record(PhotographerErased(erased_at=now))

    def evolve(self, event: PhotographerErased) -> None:
        self.erased_at = event.erased_at
        self.erasures += 1
