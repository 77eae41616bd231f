"""The relay: every integration event of every commit goes to the broker, in order for each stream, and is confirmed."""

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial

import structlog

from treaty.chance import retrying
from treaty.commits.commit import Commit
from treaty.commits.log import Place
from treaty.concurrency.guarded import guarded
from treaty.concurrency.lanes import Lanes
from treaty.followers.leases import Checkpoints
from treaty.followers.pending import Item
from treaty.followers.pending_work import PendingWork
from treaty.messaging.broker import Broker, BrokerAway, NotAccepted, Topology, Unroutable
from treaty.messaging.envelope import Envelope, envelopes, messaging_attributes, parse
from treaty.probes import Span
from treaty.surroundings import Surroundings

logger = structlog.get_logger()

ROUTED, EXPECTED = "routed ", "expected "
"""Go before the type of an event that somebody was, or may have been, bound to, where the relay keeps its place."""


class Relay:
    """A follower that publishes. At most one unconfirmed message per stream, many streams in flight.

    While the broker is away it waits: the log is the queue. A message that the broker will not accept is parked, and
    what follows on its stream waits behind it. An event that nobody is bound to is counted and passed; but where
    somebody was bound before, a lost binding is waited for, since its owner declares it again from time to time.

    Args:
        checkpoints: where it remembers, beside its place, which types of events somebody was bound to.
        unbound_seconds: how long a lost binding is waited for.
    """

    name = "relay"

    def __init__(
        self,
        topology: Topology,
        broker: Broker,
        pending: PendingWork,
        checkpoints: Checkpoints,
        *,
        environment: str,
        surroundings: Surroundings,
        in_flight: int = 64,
        attempts: int = 3,
        unbound_seconds: float = 30.0,
    ) -> None:
        self._topology, self._broker, self._pending = topology, broker, pending
        self._checkpoints = checkpoints
        self._epoch = 0
        self._failure: Exception | None = None
        self._taken: list[tuple[Commit, asyncio.Future[None]]] = []
        self._environment = environment
        self._clock, self._chance, self._probe = surroundings.clock, surroundings.chance, surroundings.probe
        self._lanes = Lanes()
        self._slots = asyncio.Semaphore(in_flight)
        self._attempts = attempts
        self._unbound_seconds = unbound_seconds
        self._noted: set[str] = set()
        self._routed: set[str] = set()
        self._unheard: set[str] = set()
        self._unbound_since: dict[str, float] = {}

    async def load(self) -> None:
        """Reads which event types had a binding; must run before `take`."""
        known = await self._checkpoints.load()
        self._noted = {name.removeprefix(ROUTED) for name in known if name.startswith(ROUTED)}
        expected = {name.removeprefix(EXPECTED) for name in known if name.startswith(EXPECTED)}
        self._routed = self._noted | expected
        self._unheard = set()

    def begin(self) -> None:
        self._failure = None
        self._taken = []

    def take(self, commits: Sequence[Commit], epoch: int) -> Awaitable[None] | None:
        self._epoch = epoch
        publishing = [commit for commit in commits if commit.outbox]
        if not publishing:
            return None
        done = [asyncio.get_running_loop().create_future() for _ in publishing]
        self._taken += zip(publishing, done, strict=True)
        return self._start(done)

    async def _start(self, done: "Sequence[asyncio.Future[None]]") -> None:
        """Publishes what was taken, in order, and waits for some of it. Work that never begins publishes nothing."""
        taken, self._taken = self._taken, []
        for commit, future in taken:
            self._lanes.submit(commit.stream, partial(self._publish_all, commit, future))
        try:
            await asyncio.gather(*done)
        except asyncio.CancelledError:
            await self._lanes.drop()
            raise

    async def _publish_all(self, commit: Commit, done: "asyncio.Future[None]") -> None:
        """Publishes the events of one commit. After a failure nothing more is: it would overtake what failed."""
        try:
            if self._failure is not None:
                raise self._failure
            await guarded(self._publish_each(commit))
        except Exception as error:
            self._failure = error
            if not done.done():
                done.set_exception(error)
        else:
            if not done.done():
                done.set_result(None)

    async def _publish_each(self, commit: Commit) -> None:
        for envelope in envelopes(commit, context=self._topology.context, environment=self._environment):
            async with self._slots:
                await self._publish_or_park(commit.stream, envelope)

    async def _publish_or_park(self, stream: str, envelope: Envelope) -> None:
        if not self._pending.parked(lane_of(stream)):
            async for attempt in retrying(self._chance, first=0.2, most=2.0):
                try:
                    await self.publish(envelope)
                    return
                except NotAccepted as error:
                    logger.warning("the broker did not accept an event", event_id=envelope.id, error=str(error))
                    if attempt == self._attempts:
                        break
        await self._pending.park(_item(stream, envelope))

    async def publish(self, envelope: Envelope) -> None:
        """Publishes one event, however long the broker is away.

        Raises:
            NotAccepted: if the broker says no to this event.
        """
        async for _ in retrying(self._chance, first=0.1, most=2.0):
            try:
                with self._probe.span(
                    f"publish {self._topology.exchange}",
                    kind="producer",
                    parent=envelope.trace,
                    attributes=messaging_attributes(
                        envelope,
                        operation="publish",
                        kind="send",
                        destination=f"{self._topology.exchange}:{envelope.type}",
                    ),
                ) as span:
                    await self._publish_once(envelope, span)
                self._tell_lag(envelope)
                return
            except BrokerAway as error:
                self._tell_lag(envelope)
                self._probe.count("treaty.relay.retries")
                logger.debug("the broker is away", error=str(error))

    def _tell_lag(self, envelope: Envelope) -> None:
        """Reports the age of the event; while the broker is away it grows with every attempt."""
        self._probe.gauge("treaty.outbox.lag", (self._clock.now() - envelope.time).total_seconds())

    async def _publish_once(self, envelope: Envelope, span: Span) -> None:
        """Publishes one event; one that nobody is bound to is no failure."""
        await self._expect(envelope.type)
        try:
            self._probe.reach("relay.publishing")
            await self._broker.publish(self._topology.exchange, envelope)
            self._probe.reach("relay.confirmed")
        except Unroutable:
            self._probe.count("treaty.relay.unroutable", type=envelope.type)
            if await self._may_come_back(envelope.type):
                raise BrokerAway(f"nobody is bound to {envelope.type} just now") from None
            span.note(treaty_unroutable=True)
            logger.debug("nobody is bound to this event", event_id=envelope.id, type=envelope.type)
        else:
            await self._remember(envelope.type)
            self._probe.count("treaty.relay.published", type=envelope.type)

    async def _expect(self, type: str) -> None:
        """Notes, before its first event, that a type may have a binding: afterwards the note could be lost."""
        if type not in self._routed and type not in self._unheard:
            await self._checkpoints.save({EXPECTED + type: Place()}, self._epoch)

    async def _remember(self, type: str) -> None:
        self._unbound_since.pop(type, None)
        self._routed.add(type)
        self._unheard.discard(type)
        if type not in self._noted:
            await self._checkpoints.save({ROUTED + type: Place()}, self._epoch)
            self._noted.add(type)

    async def _may_come_back(self, type: str) -> bool:
        """Returns whether to wait for a binding that was there before; not for ever, since it may be gone for good."""
        if type not in self._routed:
            if type not in self._unheard:
                self._unheard.add(type)
                await self._checkpoints.forget([EXPECTED + type])
            return False
        now = asyncio.get_running_loop().time()
        if now < self._unbound_since.setdefault(type, now) + self._unbound_seconds:
            return True
        self._routed.discard(type)
        self._noted.discard(type)
        self._unheard.add(type)
        self._unbound_since.pop(type, None)
        await self._checkpoints.forget([ROUTED + type, EXPECTED + type])
        return False

    async def run_item(self, item: Item) -> None:
        """Publishes a parked event."""
        await self.publish(parse(item.body["headers"], item.body["body"]))


def lane_of(stream: str) -> str:
    """Returns the lane in which the parked events of a stream wait."""
    return f"events of {stream}"


def _item(stream: str, envelope: Envelope) -> Item:
    """Returns the event as pending work; in a lane of its own, so that a call of the stream never holds it up."""
    commit, _, index = envelope.id.rpartition("#")
    version = int(commit.rpartition("@")[2])
    return Item(
        id=f"{stream}@{version:012d}#{int(index):04d}",
        lane=lane_of(stream),
        kind="publish",
        since=envelope.time,
        body={"headers": envelope.headers(), "body": envelope.body},
    )
