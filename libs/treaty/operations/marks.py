"""Marks in a context's inbox, put there from outside its processes: they show how far the inbox was read.

A mark goes into each partition behind all that is there. The owner of a partition notes it once everything before it
took effect or is in quarantine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from treaty.commits.log import Place
from treaty.followers.inbox import noted_as
from treaty.messaging.broker import Topology
from treaty.messaging.replays import AUDIT_MARK
from treaty.service.stores import Stores
from treaty.surroundings import Surroundings


class Marker(Protocol):
    """Puts a mark into a partition, as `treaty.messaging.broker.Broker` does."""

    async def end_replay(self, topology: Topology, partition: int, replay: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The marks in one inbox. `stores` are the consumer's."""

    topology: Topology
    stores: Stores
    broker: Marker
    surroundings: Surroundings

    async def put(self) -> str:
        """Puts a mark into each partition; returns its number.

        Raises:
            StoreAway, BrokerAway, NotAccepted
        """
        number = await self._number()
        for partition in range(self.topology.partitions):
            await self.broker.end_replay(self.topology, partition, AUDIT_MARK + number)
        return number

    async def left(self, number: str) -> Sequence[int]:
        """Returns the partitions that were not read up to a mark so far."""
        places = await self.stores.checkpoints.load()
        noted = [places.get(noted_as(AUDIT_MARK, p), Place()).token for p in range(self.topology.partitions)]
        return [partition for partition, last in enumerate(noted) if last < number]

    async def _number(self) -> str:
        """Returns a number above that of every mark before, those of other processes included.

        Once it is noted in a partition, or a higher one is, the partition was read at least so far. The epochs of a
        lease that nobody keeps are such numbers.
        """
        epoch = None
        while epoch is None:
            epoch = await self.stores.leases.acquire("audit", self.surroundings.ids.new(), 0.0)
        return f"{epoch:012d}"
