"""Delivers events again that an audit has found missing: a replay of their streams that contains no other event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from treaty.domain import DomainError
from treaty.messaging.broker import Broker
from treaty.messaging.replays import Replay
from treaty.operations.expected import Expected
from treaty.operations.replay import Replayer
from treaty.service.service import Service, topology_of
from treaty.service.stores import Stores
from treaty.surroundings import Surroundings

logger = structlog.get_logger()

_STREAMS_AT_ONCE = 500

BY = "treaty audit"

_ABANDONED_AFTER = timedelta(minutes=10)
"""A replay that another audit left open is given up after this time: it makes live events wait."""


@dataclass(slots=True, kw_only=True)
class Redelivery:
    """Delivers missing events to one consumer again, each at most once by this object.

    Attributes:
        stores: of the consumer.
        producers: the stores of the contexts that it subscribes to.
        environment: the environment's name in the envelopes of the producers' relays.
        seconds: the longest wait for the partitions, and for a broker that is away.
    """

    service: Service
    stores: Stores
    producers: Mapping[str, Stores]
    broker: Broker
    partitions: int
    surroundings: Surroundings
    environment: str = "dev"
    seconds: float = 60.0
    _delivered: set[str] = field(default_factory=set)
    _replays: set[str] = field(default_factory=set)

    async def deliver(self, missing: Sequence[Expected]) -> int:
        """Delivers the events of the first 500 streams of each producer; returns the number of events.

        Raises:
            StoreAway, BrokerAway, NotAccepted: those that did not arrive are still missing in the next audit.
        """
        delivered = 0
        for producer in self.producers:
            mine = [event for event in missing if event.producer == producer and event.id not in self._delivered]
            streams = list(dict.fromkeys(event.stream for event in mine))[:_STREAMS_AT_ONCE]
            chosen = [event for event in mine if event.stream in streams]
            if chosen:
                delivered += await self._replayed(producer, streams, chosen)
        return delivered

    async def _replayed(self, producer: str, streams: Sequence[str], events: Sequence[Expected]) -> int:
        replay = Replay(
            id=self.surroundings.ids.new(),
            producer=producer,
            types=sorted({event.envelope.type for event in events}),
            streams=streams,
            partitions=self.partitions,
            since=min(event.committed for event in events),
            reason=f"{len(events)} events were missing",
            by=BY,
            at=self.surroundings.clock.now(),
        )
        self._replays.add(replay.id)
        replayer = self._replayer(producer)
        await self._give_up_old(producer)
        try:
            delivered = await replayer.run(replay, only={event.envelope.id for event in events})
        except DomainError as refused:
            logger.warning("missing events cannot be delivered now", consumer=self.service.name, why=refused.message)
            return 0
        except BaseException:
            await self.stores.replays.abandon(replay.id)
            raise
        self._delivered |= {event.id for event in events}
        await replayer.left(replay.id)
        logger.info("missing events were delivered again", consumer=self.service.name, count=delivered)
        return delivered

    def _replayer(self, producer: str) -> Replayer:
        return Replayer(
            self.producers[producer].log,
            self.stores.replays,
            self.stores.leases,
            self.broker,
            topology_of(self.service, self.partitions),
            chance=self.surroundings.chance,
            environment=self.environment,
            seconds=self.seconds,
        )

    async def _give_up_old(self, producer: str) -> None:
        """Abandons the replays of an audit that ended in the middle of them."""
        before = self.surroundings.clock.now() - _ABANDONED_AFTER
        for replay in await self.stores.replays.open():
            is_old = replay.by == BY and replay.at < before and replay.id not in self._replays
            if is_old and replay.producer == producer:
                await self.stores.replays.abandon(replay.id)
