"""A photographer whose personal data was erased."""

from dataclasses import dataclass
from datetime import datetime

from treaty.domain import Aggregate

from services.media.assets.domain.events import PhotographerErased


@dataclass(slots=True, kw_only=True)
class Photographer(Aggregate[PhotographerErased]):
    """`erased_at` is the time of the latest erasure: it is also for pictures that were not inspected by then."""

    erased_at: datetime | None = None

    def erase(self, now: datetime) -> None:
        self.record(PhotographerErased(erased_at=now))

    def evolve(self, event: PhotographerErased) -> None:
        self.erased_at = event.erased_at
