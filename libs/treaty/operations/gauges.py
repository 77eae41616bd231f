"""Gauges of a context, set regularly by the holder of the followers' lease: the waiting work and its age."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from treaty.commits.duplicates import duplicates
from treaty.commits.holes import holes
from treaty.commits.log import Place
from treaty.probes import Waiting
from treaty.sagas import RunStatus
from treaty.service.service import Service
from treaty.service.stores import Stores
from treaty.surroundings import Surroundings

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """Reads the stores of a context, with one cheap query for each gauge, and sets the gauges.

    Attributes:
        followers: the names of the followers.
        every: seconds between reads.
    """

    service: Service
    stores: Stores
    followers: Sequence[str]
    surroundings: Surroundings
    every: float = 30.0

    async def run(self) -> None:
        """Sets the gauges regularly until it is cancelled; after a failed read, it tries again at the next time."""
        while True:
            try:
                await self.tell()
            except Exception as away:
                logger.debug("the gauges cannot be read", context=self.service.name, error=str(away))
            await asyncio.sleep(self.every)

    async def tell(self) -> None:
        """Sets all gauges once. Ages are those by the server's clock, which all processes share."""
        now = await self.stores.pending.now()
        places = await self.stores.checkpoints.load()
        for name in self.followers:
            lag = await self._lag(places.get(name, Place()), now)
            self.surroundings.probe.gauge("treaty.follower.lag", lag, follower=name)
        pending = await self.stores.pending.waiting()
        self.surroundings.probe.gauge("treaty.pending.size", pending.count)
        self.surroundings.probe.gauge("treaty.pending.age", pending.age(now))
        quarantined = await self.stores.quarantine.waiting()
        self.surroundings.probe.gauge("treaty.quarantine.age", quarantined.age(now))
        held = [bool(hole.stream) for hole in await holes(self.stores.log) if hole.is_open]
        self.surroundings.probe.gauge("treaty.holes.open", sum(held))
        self.surroundings.probe.gauge("treaty.holes.strays", len(held) - sum(held))
        doubled = [one for one in await duplicates(self.stores.log) if not one.accepted]
        self.surroundings.probe.gauge("treaty.duplicates.open", len(doubled))
        for saga in self.service.sagas:
            stuck = await self.stores.rows(saga.runs).count({"status": RunStatus.STUCK.value})
            self.surroundings.probe.gauge("treaty.saga.stuck", stuck, saga=saga.stored.stream)

    async def _lag(self, place: Place, now: datetime) -> float:
        """Returns the age in seconds of the oldest commit that a follower has not handled."""
        first = await self.stores.log.peek(place, 1)
        return Waiting(len(first), first[0].stored_at if first else None).age(now)
