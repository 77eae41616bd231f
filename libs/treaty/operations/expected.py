"""The events of one producer that one consumer is to take, read from the producer's log."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from treaty.commits.commit import Commit
from treaty.commits.log import Place
from treaty.followers.relay import lane_of
from treaty.messaging.envelope import Envelope, envelopes
from treaty.messaging.subscriptions import Subscription
from treaty.service.service import Service
from treaty.service.stores import Stores

logger = structlog.get_logger()

MOST_OPEN = 10_000
"""Events of one producer that are in memory because the consumer has no trace of them; then no more are read."""

_TOGETHER = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An event that a consumer is to take.

    Attributes:
        version: that of its commit in the stream.
        envelope: without its body.
        causes: the causes under which the consumer's subscriptions commit; one of them suffices.
        read: the place at which the log was when the event was read. A relay that has it stored has published the event
            or parked it.
    """

    producer: str
    stream: str
    version: int
    envelope: Envelope
    committed: datetime
    causes: Sequence[str]
    read: Place = field(default_factory=Place)

    @property
    def id(self) -> str:
        """The id of the message in the consumer's quarantine."""
        return f"{self.producer}/{self.envelope.id}"


class Reading:
    """Reads the log of a producer once, in order, and keeps the events of which the consumer has no trace.

    The stored place passes a batch only when the consumer has a trace of each of its events. It never goes back.

    Attributes:
        open: the events without a trace, by their ids.
    """

    def __init__(self, producer: str, source: Stores, consumer: Service, stores: Stores) -> None:
        self.producer, self._source, self._stores = producer, source, stores
        self._consumer = consumer.name
        self._subscriptions: dict[str, list[Subscription]] = {}
        for subscription in consumer.subscriptions:
            if subscription.producer == producer and subscription.commits:
                self._subscriptions.setdefault(subscription.type, []).append(subscription)
        self.open: dict[str, Expected] = {}
        self._batches: list[tuple[Place, Set[str]]] = []
        self._since: dict[str, tuple[int, int]] = {}
        self._place: Place | None = None

    async def begin(self) -> None:
        """Finds its stored place. A type of event that it meets for the first time begins at the end of the log."""
        if self._place is not None:
            return
        places = await self._stores.checkpoints.load()
        names = {type: f"audit of {type}" for type in self._subscriptions}
        new = [type for type in names if names[type] not in places]
        if new:
            end = await self._source.log.end()
            first = {names[type]: Place(position=end.position) for type in new}
            if self._name not in places:
                first[self._name] = end
            await self._stores.checkpoints.save(first, 0)
            logger.info("the audit begins with later events", consumer=self._consumer, types=sorted(new))
            places = await self._stores.checkpoints.load()
        self._since = {type: places[name].position for type, name in names.items()}
        self._place = places.get(self._name, Place())

    async def read(self) -> bool:
        """Reads the next events; returns whether there may be more to read now."""
        if len(self.open) >= MOST_OPEN:
            return False
        met: dict[str, Expected] = {}
        async with contextlib.aclosing(self._source.log.follow(self._place or Place())) as batches:
            async for batch in batches:
                new = await self._untaken(self._expected(batch.commits))
                met.update((event.id, event) for event in new)
                if not batch.again:
                    self._keep(met, batch.place)
                    return bool(batch.commits)
        return False

    def _keep(self, met: Mapping[str, Expected], place: Place) -> None:
        self.open.update((id, replace(event, read=place)) for id, event in met.items())
        self._batches.append((place, frozenset(met)))
        self._place = place

    async def look_again(self) -> None:
        """Drops the open events that have taken effect meanwhile."""
        left = await self._untaken(self.open.values())
        self.open = {event.id: event for event in left}

    def drop(self, ids: Set[str]) -> None:
        """Drops open events that were found elsewhere."""
        self.open = {id: event for id, event in self.open.items() if id not in ids}

    async def save(self) -> None:
        """Stores the place behind the batches whose events all have a trace."""
        self._forget_the_taken()
        if self._batches and not self._batches[0][1]:
            place, _ = self._batches.pop(0)
            await self._stores.checkpoints.save({self._name: place}, 0)

    def _forget_the_taken(self) -> None:
        """Joins each batch without an open event to the batch before it."""
        batches, self._batches = self._batches, []
        for place, ids in batches:
            left = ids & self.open.keys()
            if left or not self._batches:
                self._batches.append((place, left))
            else:
                self._batches[-1] = place, self._batches[-1][1]

    async def published(self, events: Sequence[Expected]) -> Sequence[Expected]:
        """Returns those of the events that the broker has confirmed, or that no queue was bound to."""
        places = await self._source.checkpoints.load()
        relayed = places.get("relay", Place())
        parked = set(await self._source.pending.lanes())
        return [event for event in events if event.read.token <= relayed.token and lane_of(event.stream) not in parked]

    @property
    def _name(self) -> str:
        return f"audit of {self.producer}"

    def _expected(self, commits: Iterable[Commit]) -> Iterator[Expected]:
        """Yields the events of commits for which a subscription has a command."""
        for commit in commits:
            for envelope in envelopes(commit, context=self.producer):
                causes = self._causes(envelope)
                if causes and commit.position > self._since[envelope.type]:
                    yield Expected(
                        producer=self.producer,
                        stream=commit.stream,
                        version=commit.version,
                        envelope=replace(envelope, body=b""),
                        committed=commit.stored_at,
                        causes=causes,
                    )

    def _causes(self, envelope: Envelope) -> Sequence[str]:
        wanted = self._subscriptions.get(envelope.type, ())
        return [f"{self.producer}/{envelope.id}/{one.name}" for one in wanted if _concerns(one, envelope)]

    async def _untaken(self, events: Iterable[Expected]) -> Sequence[Expected]:
        left: list[Expected] = []
        events = list(events)
        for first in range(0, len(events), _TOGETHER):
            some = events[first : first + _TOGETHER]
            taken = await self._stores.log.took_effect([cause for event in some for cause in event.causes])
            left += [event for event in some if taken.isdisjoint(event.causes)]
        return left


def _concerns(subscription: Subscription, envelope: Envelope) -> bool:
    """Returns whether the translation makes a command of an event. One that raises is in the consumer's quarantine."""
    try:
        return subscription.translate(subscription.parse(envelope.body)) is not None
    except Exception:
        return True
