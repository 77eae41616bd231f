"""The consumer of one partition: each key in order, effects once; what fails is quarantined with all behind it."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from treaty.chance import Chance, backoff
from treaty.clock import Clock
from treaty.concurrency.lanes import Lanes
from treaty.dependencies import Breakers, DependencyAway, GivenUp
from treaty.messaging.broker import Broker, BrokerAway, Delivery, Topology
from treaty.messaging.dispatcher import SCHEMA_ERRORS
from treaty.messaging.envelope import PARTITION_HEADER, Envelope, Malformed, parse
from treaty.messaging.quarantine import Quarantine
from treaty.messaging.quarantine_keeper import QuarantineKeeper
from treaty.messaging.replay_holds import ReplayHolds
from treaty.messaging.replays import END_HEADER, REPLAY_HEADER, Replays, named
from treaty.probes import Probe

logger = structlog.get_logger()

_ENDS = "\0ends of replays"
"""The lane of what ends a replay; no event has this key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a message is tried where it stands before it moves to quarantine, and how often that is looked at.

    Attributes:
        tries: attempts in the lane.
        pause: seconds before the second attempt; doubles each time, with jitter.
        look_every: seconds between looks at the quarantine for retries and people's intents.
        away_seconds: how long a message waits where it stands for something that is away, before it moves too.
    """

    tries: int = 4
    pause: float = 0.1
    look_every: float = 1.0
    away_seconds: float = 30.0


class PartitionConsumer:
    """Owns one partition of a context's inbox, as long as the process holds its lease."""

    def __init__(
        self,
        topology: Topology,
        partition: int,
        broker: Broker,
        handle: Callable[[Envelope, str], Awaitable[None]],
        quarantine: Quarantine,
        replays: Replays,
        *,
        clock: Clock,
        chance: Chance,
        probe: Probe,
        patience: Patience | None = None,
        breakers: Breakers | None = None,
    ) -> None:
        self._topology, self._partition, self._broker = topology, partition, broker
        self._queue = topology.queue(partition)
        self._handle = partial(_in_queue, handle, self._queue)
        self._clock, self._chance, self._probe = clock, chance, probe
        self._patience = patience or Patience()
        self._breakers = breakers or Breakers(chance, probe)
        self._holds = ReplayHolds(replays, partition)
        self._keeper = QuarantineKeeper(
            quarantine,
            partition,
            self._queue,
            self._handle,
            self._holds,
            clock=clock,
            probe=probe,
            schema_errors=SCHEMA_ERRORS,
        )
        self._draining = asyncio.Event()
        self.ended = asyncio.Event()

    async def run(self) -> None:
        """Consumes until `drain` was called, coming back after every lost channel. `ended` is set at the end."""
        try:
            while not self._draining.is_set():
                await self._consume_or_wait()
        finally:
            self.ended.set()

    async def _consume_or_wait(self) -> None:
        try:
            await self._consume()
        except BrokerAway as error:
            logger.debug("the partition's channel is lost", queue=self._queue, error=str(error))
        except Exception:
            logger.exception("the partition starts again", queue=self._queue)
        if not self._draining.is_set():
            await asyncio.sleep(self._chance.jitter(0.3))

    def drain(self) -> None:
        """Starts nothing new; `run` ends when everything that was started is acknowledged."""
        self._draining.set()

    async def _consume(self) -> None:
        """Consumes through one channel, with lanes of its own: they end before it, and what comes then comes again."""
        lanes = Lanes()
        await self._holds.look()
        await self._keeper.load()
        async with self._broker.consume(self._topology, self._partition, partial(self._accept, lanes)) as lost:
            looking = asyncio.create_task(self._look_after_quarantine(lanes))
            try:
                await _first(lost, self._draining)
                if not lost.is_set():
                    await lanes.drain()
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
                await lanes.close()

    def _accept(self, lanes: Lanes, delivery: Delivery) -> None:
        self._probe.count("treaty.consumer.delivered", queue=self._queue)
        if END_HEADER in delivery.headers:
            lanes.submit(_ENDS, lanes.behind_all(partial(self._end_replay, lanes, delivery)))
            return
        try:
            envelope = parse(delivery.headers, delivery.body)
        except Malformed as error:
            envelope = _unreadable(delivery, self._clock.now())
            lanes.submit(envelope.partition_key, partial(self._isolate, delivery, envelope, error))
        else:
            lanes.submit(envelope.partition_key, partial(self._process, delivery, envelope))

    async def _process(self, delivery: Delivery, envelope: Envelope) -> None:
        if self._draining.is_set():
            return
        replay = named(delivery.headers, REPLAY_HEADER)
        if replay and not self._holds.is_open(replay):
            await delivery.ack()  # it was abandoned, or this came twice: what waited has gone on
            return
        if self._keeper.holds(envelope, replay):
            await self._isolate(delivery, envelope, None)
            return
        try:
            error = await self._try(envelope)
        except GivenUp:
            return
        if error is None:
            await delivery.ack()
            self._probe.reach("consumer.acknowledged")
        else:
            await self._isolate(delivery, envelope, error)

    async def _try(self, envelope: Envelope) -> Exception | None:
        """Handles an event, a few times if need be; returns the last error, or None when it is done.

        Raises:
            GivenUp: if this drains while something that the event needs is away. Then the event comes again.
        """
        attempts, waiting_since, missing = 0, asyncio.get_running_loop().time(), ""
        while True:
            try:
                self._probe.reach("consumer.handling")
                await self._handle(envelope)
                self._probe.reach("consumer.handled")
                self._breakers.succeeded(missing)
                return None
            except DependencyAway as away:
                failure: Exception = away
                missing = away.dependency
                self._breakers.failed(missing)
                attempts += asyncio.get_running_loop().time() > waiting_since + self._patience.away_seconds
            except Exception as error:
                failure = error
                attempts += 1
            self._probe.count("treaty.consumer.retries", type=envelope.type)
            if isinstance(failure, SCHEMA_ERRORS) or attempts >= self._patience.tries:
                return failure
            await asyncio.sleep(self._chance.jitter(backoff(max(attempts - 1, 0), self._patience.pause, 5.0)))
            if isinstance(failure, DependencyAway):
                await self._breakers.turn(missing, self._draining)

    async def _isolate(self, delivery: Delivery, envelope: Envelope, error: Exception | None) -> None:
        """Moves a message to quarantine; it is acknowledged once a majority has it there.

        While the store is away the message is handled again: then it was not the message's fault.
        """
        while True:
            try:
                await self._keeper.put(envelope, error, named(delivery.headers, REPLAY_HEADER))
                break
            except Exception as away:
                logger.warning("the quarantine cannot be written", queue=self._queue, error=str(away))
                await asyncio.sleep(self._chance.jitter(1.0))
                if self._draining.is_set():
                    return
                if error is not None and not isinstance(error, SCHEMA_ERRORS):
                    try:
                        error = await self._try(envelope)
                    except GivenUp:
                        return
                    if error is None:
                        break
        await delivery.ack()

    async def _end_replay(self, lanes: Lanes, delivery: Delivery) -> None:
        """Lets go of what waited for a replay, after all of that which came before this is done with."""
        id = named(delivery.headers, END_HEADER)
        while self._holds.is_open(id):
            if self._draining.is_set():
                return
            try:
                await self._holds.pass_by(id)
                await self._release_due(lanes)
            except Exception as away:
                logger.warning("the end of a replay cannot be noted", queue=self._queue, replay=id, error=str(away))
                await asyncio.sleep(self._chance.jitter(1.0))
        await delivery.ack()

    async def _release_due(self, lanes: Lanes) -> None:
        for key in await self._keeper.due():
            lanes.submit(key, partial(self._keeper.release, key))

    async def _look_after_quarantine(self, lanes: Lanes) -> None:
        """Releases keys whose time has come, or that a person has decided about, each in its own lane."""
        while True:
            await asyncio.sleep(self._patience.look_every)
            try:
                await self._holds.look()
                await self._release_due(lanes)
            except Exception as away:
                logger.warning("the quarantine cannot be read", queue=self._queue, error=str(away))


async def _in_queue(handle: Callable[[Envelope, str], Awaitable[None]], queue: str, envelope: Envelope) -> None:
    await handle(envelope, queue)


async def _first(*events: asyncio.Event) -> None:
    """Waits for the first of the events."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _unreadable(delivery: Delivery, now: datetime) -> Envelope:
    """Returns an envelope for a message that has none, so that it can be kept and looked at."""
    digest = hashlib.blake2s(repr(sorted(delivery.headers.items())).encode() + delivery.body, digest_size=12)
    return Envelope(
        id=digest.hexdigest(),
        type="unreadable",
        source="unreadable",
        subject="",
        time=now,
        partition_key=str(delivery.headers.get(PARTITION_HEADER) or "unreadable"),
        sequence="",
        body=delivery.body,
    )
