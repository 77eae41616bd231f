"""The audit of deliveries: it finds events that a consumer never received, beside running processes.

An event is there if the consumer has a commit under its cause, or if the message is or was in quarantine. An event that
its producer has not published yet, or that an open replay will deliver, is waited for. For the others a mark is put
into each partition, behind all that is there. Once the owners of the partitions have noted it, an event without a trace
is missing. `treaty.operations.audit` compares idle contexts instead.
"""

import asyncio
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from treaty.messaging.broker import Broker
from treaty.operations.expected import Expected, Reading
from treaty.operations.marks import Marks
from treaty.service.service import Service, topology_of
from treaty.service.stores import Stores
from treaty.surroundings import Surroundings

logger = structlog.get_logger()

_LOOK_EVERY = 0.1

_MARK_AGAIN_SECONDS = 60.0
"""A mark that was not noted for so long is put again: it may have been lost as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The result of one round.

    Attributes:
        missing: the events that the consumer never received.
        waiting: the number of events past the time of grace that are not published or not read yet.
        unread: the partitions that nobody reads now, so it is unknown whether an event is missing.
    """

    missing: Sequence[Expected] = ()
    waiting: int = 0
    unread: Sequence[int] = ()


@dataclass(slots=True)
class _Mark:
    """A mark that was put into all partitions, and the ids of the events that are before it if they are anywhere."""

    number: str
    covers: Set[str]
    at: float


@dataclass(slots=True, kw_only=True)
class DeliveryAudit:
    """Audits the deliveries to one consumer.

    Attributes:
        stores: of the consumer.
        producers: the stores of the contexts that it subscribes to.
        grace: seconds after its commit until an event without a trace is looked into.
        patience: seconds for the owners of the partitions to note a mark.
    """

    service: Service
    stores: Stores
    producers: Mapping[str, Stores]
    broker: Broker
    partitions: int
    surroundings: Surroundings
    grace: float = 300.0
    patience: float = 30.0
    _readings: list[Reading] = field(init=False)
    _marks: Marks = field(init=False)
    _mark: _Mark | None = None
    _missing: Set[str] = frozenset()

    def __post_init__(self) -> None:
        self._readings = [
            Reading(producer, source, self.service, self.stores) for producer, source in self.producers.items()
        ]
        self._marks = Marks(
            topology=topology_of(self.service, self.partitions),
            stores=self.stores,
            broker=self.broker,
            surroundings=self.surroundings,
        )

    async def round(self) -> Findings:
        """Reads on in the logs of the producers, and returns what is missing now.

        Raises:
            StoreAway, BrokerAway: the next round goes on from where this one was.
        """
        for reading in self._readings:
            await reading.begin()
            await reading.look_again()
            while await reading.read():
                pass
        late = self._late()
        found = await self._judged(late)
        for reading in self._readings:
            await reading.save()
        self._tell(found)
        return found

    def _late(self) -> Sequence[Expected]:
        before = self.surroundings.clock.now() - timedelta(seconds=self.grace)
        return [event for reading in self._readings for event in reading.open.values() if event.committed <= before]

    async def _judged(self, late: Sequence[Expected]) -> Findings:
        """Looks into late events. One that is missing stays so until there is a trace of it."""
        arrived = {event.id for event in await self._arrived(late)} - self._missing
        covered, unread = await self._read_to_the_mark(arrived) if arrived else (frozenset[str](), ())
        kept = await self.stores.quarantine.knows([event.id for event in late])
        for reading in self._readings:
            reading.drop(kept)
            await reading.look_again()
        left = [event for event in late if any(event.id in reading.open for reading in self._readings)]
        missing = tuple(event for event in left if event.id in covered | self._missing)
        self._missing = {event.id for event in missing}
        return Findings(missing=missing, waiting=len(left) - len(missing), unread=unread)

    async def _arrived(self, late: Sequence[Expected]) -> Sequence[Expected]:
        """Returns the events that must be in the inbox or have left it, if none was lost."""
        published = [
            event
            for reading in self._readings
            for event in await reading.published([event for event in late if event.producer == reading.producer])
        ]
        replays = await self.stores.replays.open()
        return [event for event in published if not any(replay.wants(event.envelope) for replay in replays)]

    async def _read_to_the_mark(self, ids: Set[str]) -> tuple[Set[str], Sequence[int]]:
        """Marks the inbox; returns the ids that are before a mark that was read, and the partitions not read so far."""
        mark, now = self._mark, asyncio.get_running_loop().time()
        if mark is None or now > mark.at + _MARK_AGAIN_SECONDS:
            mark = self._mark = _Mark(await self._marks.put(), ids, now)
        unread = await self._marks.left(mark.number)
        until = now + self.patience
        while unread and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(_LOOK_EVERY)
            unread = await self._marks.left(mark.number)
        if unread:
            return frozenset(), unread
        self._mark = None
        return mark.covers, ()

    def _tell(self, found: Findings) -> None:
        probe, consumer = self.surroundings.probe, self.service.name
        for producer in self.producers:
            missing = [event for event in found.missing if event.producer == producer]
            probe.gauge("treaty.audit.missing", len(missing), consumer=consumer, producer=producer)
            if missing:
                logger.error(
                    "events are missing",
                    consumer=consumer,
                    producer=producer,
                    count=len(missing),
                    streams=sorted({event.stream for event in missing})[:100],
                    events=[event.envelope.id for event in missing][:100],
                )
        probe.gauge("treaty.audit.waiting", found.waiting, consumer=consumer)
        probe.gauge("treaty.audit.unread", len(found.unread), consumer=consumer)
        if found.unread:
            logger.warning("partitions are not read", consumer=consumer, partitions=list(found.unread))
