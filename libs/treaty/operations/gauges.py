"""What the holder of the followers' lease tells of its context from time to time: what waits, and how long already."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from treaty.commits.log import Place
from treaty.probes import Waiting
from treaty.sagas import RunStatus
from treaty.service.service import Service
from treaty.service.stores import Stores
from treaty.surroundings import Surroundings

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """Looks at the stores of a context, with one cheap query for each figure.

    Attributes:
        followers: their names.
        every: seconds between looks.
    """

    service: Service
    stores: Stores
    followers: Sequence[str]
    surroundings: Surroundings
    every: float = 5.0

    async def run(self) -> None:
        """Looks until it is cancelled. What cannot be seen now is told the next time."""
        while True:
            try:
                await self.tell()
            except Exception as away:
                logger.debug("the gauges cannot be read", context=self.service.name, error=str(away))
            await asyncio.sleep(self.every)

    async def tell(self) -> None:
        """Looks once."""
        places = await self.stores.checkpoints.load()
        for name in self.followers:
            lag = await self._lag(places.get(name, Place()))
            self.surroundings.probe.gauge("treaty.follower.lag", lag, follower=name)
        pending = await self.stores.pending.waiting()
        self.surroundings.probe.gauge("treaty.pending.size", pending.count)
        self.surroundings.probe.gauge("treaty.pending.age", pending.age(self.surroundings.clock.now()))
        quarantined = await self.stores.quarantine.waiting()
        self.surroundings.probe.gauge("treaty.quarantine.age", quarantined.age(self.surroundings.clock.now()))
        for saga in self.service.sagas:
            stuck = await self.stores.rows(saga.runs).count({"status": RunStatus.STUCK.value})
            self.surroundings.probe.gauge("treaty.saga.stuck", stuck, saga=saga.stored.stream)

    async def _lag(self, place: Place) -> float:
        """Returns how old the oldest commit is that a follower has not done, in seconds."""
        first = await self.stores.log.peek(place, 1)
        return Waiting(len(first), first[0].stored_at if first else None).age(self.surroundings.clock.now())
