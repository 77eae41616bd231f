"""The consumer of one partition: each key in order, effects once.

A message that fails goes to quarantine, and the later messages of its key follow it there.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

import structlog

from treaty.chance import retrying
from treaty.concurrency.guarded import guarded, guarding
from treaty.concurrency.lanes import Lanes
from treaty.concurrency.tasks import ended
from treaty.dependencies import Breakers, GivenUp
from treaty.messaging.broker import Broker, BrokerAway, Delivery, Topology
from treaty.messaging.envelope import PARTITION_HEADER, Envelope, Malformed, parse, plain
from treaty.messaging.quarantine import Quarantine
from treaty.messaging.quarantine_keeper import QuarantineKeeper, Verdict
from treaty.messaging.replays import END_HEADER, REPLAY_HEADER, Replays, is_mark, named
from treaty.messaging.tries import Patience, Tries
from treaty.surroundings import Surroundings

logger = structlog.get_logger()

_ENDS = "\0ends of replays"
"""The lane of what ends a replay; no event has this key."""


class PartitionConsumer:
    """Owns one partition of a context's inbox, as long as the process holds its lease.

    Args:
        handle: handles one event, once.
        note_mark: records that everything before a mark has been handled.
        sure: returns when this process is sure to hold the lease; nothing is handled before.
    """

    def __init__(
        self,
        topology: Topology,
        partition: int,
        broker: Broker,
        handle: Callable[[Envelope], Awaitable[None]],
        quarantine: Quarantine,
        replays: Replays,
        *,
        note_mark: Callable[[str], Awaitable[None]],
        sure: Callable[[], Awaitable[None]],
        surroundings: Surroundings,
        patience: Patience | None = None,
        breakers: Breakers | None = None,
    ) -> None:
        self._topology, self._partition, self._broker = topology, partition, broker
        self._queue = topology.queue(partition)
        self._note_mark, self._sure = note_mark, sure
        self._clock, self._chance, self._probe = surroundings.clock, surroundings.chance, surroundings.probe
        self._patience = patience or Patience()
        breakers = breakers or Breakers(surroundings)
        self._tries = Tries(handle, self._patience, breakers, surroundings)
        self._keeper = QuarantineKeeper(
            quarantine,
            replays,
            partition,
            self._queue,
            self._tries.handle,
            breakers=breakers,
            surroundings=surroundings,
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
            await guarded(self._consume())
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
        """Consumes through one channel, with lanes of its own, which end before it.

        Messages that are not acknowledged by then come again.
        """
        lanes = Lanes()
        await self._keeper.open()
        first = _Once(self._keeper.catch_up)
        try:
            receive = partial(self._accept, lanes, first)
            async with self._broker.consume(self._topology, self._partition, receive) as lost:
                await self._consume_until(lost, lanes)
        finally:
            await lanes.close()  # the channel may have been open for a moment even if it could not be consumed

    async def _consume_until(self, lost: asyncio.Event, lanes: Lanes) -> None:
        """Consumes until the channel is lost or a lane has failed, or until everything is done while this drains."""
        looking = asyncio.create_task(self._look_after_quarantine(lanes))
        try:
            await _first(lost, lanes.failed, self._draining)
            if not lost.is_set() and not lanes.failed.is_set():
                await lanes.drain()
        finally:
            await ended([looking])
            await lanes.close()

    def _accept(self, lanes: Lanes, first: "_Once", delivery: Delivery) -> None:
        self._probe.count("treaty.consumer.delivered", queue=self._queue)
        if END_HEADER in delivery.headers:
            end = partial(self._pass_end, lanes, delivery, named(delivery.headers, END_HEADER))
            lanes.submit(_ENDS, lanes.behind_all(end))
            return
        try:
            envelope = parse(delivery.headers, delivery.body)
        except Malformed as error:
            envelope = _unreadable(delivery, self._clock.now())
            lanes.submit(envelope.partition_key, partial(self._process, first, delivery, envelope, error))
        else:
            lanes.submit(envelope.partition_key, partial(self._process, first, delivery, envelope))

    async def _process(
        self, first: "_Once", delivery: Delivery, envelope: Envelope, malformed: Malformed | None = None
    ) -> None:
        """Handles a message or moves it to quarantine, and acknowledges it then.

        While the store is away, the message is judged and handled again: the failure may not have been its fault.
        """
        replay = named(delivery.headers, REPLAY_HEADER)
        async for _ in retrying(self._chance, first=1.0, most=5.0):
            await self._sure()
            if self._draining.is_set():
                return
            try:
                await first.done()
                handled = await self._handle_or_keep(delivery, envelope, replay, malformed)
                break
            except GivenUp:
                return
            except Exception as away:
                logger.warning("the quarantine cannot be written", queue=self._queue, error=str(away))
        await delivery.ack()
        if handled:
            self._probe.reach("consumer.acknowledged")

    async def _handle_or_keep(
        self, delivery: Delivery, envelope: Envelope, replay: str, malformed: Malformed | None
    ) -> bool:
        """Returns whether the event took effect; if not, it is in quarantine, or there was nothing to do.

        A process that was frozen while it handled the event keeps it only if nobody else has the partition by then.
        """
        error: Exception | None = malformed
        if error is None:
            if replay:
                await self._keeper.learn(replay)
            verdict = self._keeper.judge(envelope, replay)
            if verdict is Verdict.PASS:
                return False
            if verdict is Verdict.HANDLE:
                error = await self._tries.make(envelope, self._draining)
                if error is None:
                    return True
                await self._sure()
        await self._keeper.keep(envelope, error, replay, raw=plain(delivery.headers) if malformed else ())
        return False

    async def _pass_end(self, lanes: Lanes, delivery: Delivery, name: str) -> None:
        """Records the end of a replay, or a mark of the inbox, after everything before it was handled."""
        async for _ in retrying(self._chance, first=1.0, most=1.0):
            if self._draining.is_set():
                return
            try:
                if is_mark(name):
                    await self._note_mark(name)
                elif self._keeper.is_replaying(name):
                    await self._keeper.end_replay(name)
                    await self._release_due(lanes)
                break
            except Exception as away:
                logger.warning("the end of a replay cannot be noted", queue=self._queue, name=name, error=str(away))
        await delivery.ack()

    async def _release_due(self, lanes: Lanes) -> None:
        await self._keeper.find_due()
        self._start_releases(lanes)

    def _start_releases(self, lanes: Lanes) -> None:
        if not self._draining.is_set():
            for key in self._keeper.to_release():
                lanes.submit(key, partial(self._release, lanes, key))

    async def _release(self, lanes: Lanes, key: str) -> None:
        await self._keeper.release(key)
        self._start_releases(lanes)

    async def _look_after_quarantine(self, lanes: Lanes) -> None:
        """Releases keys whose time has come, or that a person has decided about, each in its own lane."""
        while True:
            await asyncio.sleep(self._patience.look_every)
            try:
                with guarding():
                    await self._keeper.look()
                    await self._release_due(lanes)
            except Exception as away:
                logger.warning("the quarantine cannot be read", queue=self._queue, error=str(away))


class _Once:
    """Does something once, for all who wait for it; the next one tries again if it fails."""

    def __init__(self, act: Callable[[], Awaitable[None]]) -> None:
        self._act, self._turn, self._is_done = act, asyncio.Lock(), False

    async def done(self) -> None:
        if self._is_done:
            return
        async with self._turn:
            if not self._is_done:
                await self._act()
                self._is_done = True


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
    digest = hashlib.blake2s(repr(sorted(delivery.headers.items())).encode(), digest_size=12)
    digest.update(delivery.body)
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
