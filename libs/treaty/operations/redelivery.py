"""Delivers events again that an audit has found missing: a replay of their streams that contains no other event."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from treaty.commits.commit import parse_id
from treaty.commits.log import Unreadable
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
"""A replay that is still open after this time is given up: it makes live events wait."""


@dataclass(slots=True, kw_only=True)
class Redelivery:
    """Delivers missing events to one consumer again.

    This object delivers each event once, and once more if it had to give up the replay that delivered it.

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
    _replays: dict[str, Set[str]] = field(default_factory=dict)
    _given_up: set[str] = field(default_factory=set)
    _holes: dict[tuple[str, str], int] = field(default_factory=dict)

    async def deliver(self, missing: Sequence[Expected]) -> int:
        """Delivers the events of the first 500 streams of each producer; returns the number of events.

        Events from a commit on that cannot be read wait until it can be read.

        Raises:
            StoreAway, BrokerAway, NotAccepted: those that did not arrive are still missing in the next audit.
        """
        await self._end_open()
        delivered = 0
        for producer in self.producers:
            left = [event for event in missing if event.producer == producer and event.id not in self._delivered]
            mine = await self._readable(producer, left)
            streams = list(dict.fromkeys(event.stream for event in mine))[:_STREAMS_AT_ONCE]
            chosen = [event for event in mine if event.stream in streams]
            if chosen:
                delivered += await self._replayed(producer, streams, chosen)
        return delivered

    async def _readable(self, producer: str, events: Sequence[Expected]) -> Sequence[Expected]:
        """Returns the events that are before the holes of their streams; forgets the holes that are mended by now."""
        for stream in {event.stream for event in events if (producer, event.stream) in self._holes}:
            version = self._holes[producer, stream]
            try:
                await self.producers[producer].log.read(stream, first=version, last=version, states=False)
                del self._holes[producer, stream]
            except Unreadable as hole:
                logger.warning("missing events wait for a commit that cannot be read", commit=hole.id, why=hole.why)
        return self._before_holes(events)

    def _before_holes(self, events: Sequence[Expected]) -> Sequence[Expected]:
        return [e for e in events if e.version < self._holes.get((e.producer, e.stream), e.version + 1)]

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
        replayer = self._replayer(producer)
        try:
            delivered = await replayer.run(replay, only={event.envelope.id for event in events})
        except DomainError as refused:
            logger.warning("missing events cannot be delivered now", consumer=self.service.name, why=refused.message)
            return 0
        except BaseException:
            await self.stores.replays.abandon(replay.id)
            raise
        self._holes |= {(producer, stream): version for stream, version in map(_parsed, replayer.unreadable)}
        sent = {event.id for event in self._before_holes(events)}
        self._delivered |= sent
        self._replays[replay.id] = sent
        if left := await replayer.left(replay.id):
            self._warn("missing events were delivered again, but the end of their replay did not arrive", left=left)
        elif delivered:
            logger.info("missing events were delivered again", consumer=self.service.name, count=delivered)
        return delivered

    def _warn(self, what: str, **details: object) -> None:
        logger.warning(what, consumer=self.service.name, **details)

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

    async def _end_open(self) -> None:
        """Ends the replays of audits that are still open: this one's own by another end, and by giving up old ones."""
        before = self.surroundings.clock.now() - _ABANDONED_AFTER
        found = await self.stores.replays.open()
        self._replays = {replay.id: self._replays[replay.id] for replay in found if replay.id in self._replays}
        for replay in found:
            if replay.by != BY or replay.producer not in self.producers:
                continue
            if replay.at < before:
                await self._give_up(replay)
            elif replay.id in self._replays:
                await self._replayer(replay.producer).end_again(replay.id)

    async def _give_up(self, replay: Replay) -> None:
        if await self.stores.replays.abandon(replay.id):
            again = self._replays.pop(replay.id, set()) - self._given_up
            self._given_up |= again
            self._delivered -= again
            self._warn("a replay of missing events did not end and was given up", replay=replay.id)


def _parsed(id: str) -> tuple[str, int]:
    return parse_id(id) or ("", 0)
