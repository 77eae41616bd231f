"""On the real MongoDB: 50,000 messages in quarantine do not slow the other keys of their partition."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from math import inf
from statistics import median
from typing import Any

import pytest
from treaty.concurrency.tasks import at_once
from treaty.followers.inbox import note_mark
from treaty.memory.broker import MemoryBroker
from treaty.messaging.consumer import PartitionConsumer
from treaty.messaging.envelope import Envelope
from treaty.messaging.tries import Patience
from treaty.mongo.driver import close, connect, database
from treaty.mongo.stores import MongoStores
from treaty.surroundings import Surroundings
from treaty.testing import while_moving
from treaty.testing.recorder import Recorder
from treaty.testing.samples import NOON, envelope, plain_commit
from treaty.testing.suites.broker import subscriber

from tests.toolkit.pieces import running

pytestmark = pytest.mark.slow

HELD = 50_000
ROUNDS = 10
EVENTS = 150

QUIET = Patience(look_every=0.25)
"""Four looks a second, so that each round has many of them."""


class Desk:
    """A consumer of one partition whose handler commits each event; it knows how long each took to be handled."""

    def __init__(self, client: Any, context: str) -> None:
        self.probe = Recorder()
        surroundings = Surroundings(probe=self.probe)
        self.stores = MongoStores(client, context, surroundings=surroundings)
        self.topology, self.broker = subscriber(context, "test.bank"), MemoryBroker()
        self.taken: dict[str, float] = {}
        self._sent: dict[str, float] = {}
        self.consumer = PartitionConsumer(
            self.topology,
            0,
            self.broker,
            self._handle,
            self.stores.quarantine,
            self.stores.replays,
            note_mark=partial(note_mark, self.stores.checkpoints, 0),
            sure=at_once,
            surroundings=surroundings,
            patience=QUIET,
        )

    async def prepare(self) -> None:
        await self.stores.prepare([])
        await self.broker.declare(self.topology)

    async def _handle(self, event: Envelope) -> None:
        await self.stores.log.append(plain_commit(f"taken-{event.id}"))
        self.taken[event.id] = time.perf_counter() - self._sent[event.id]

    async def round(self) -> list[float]:
        """Returns the seconds that each of some events took, from its delivery to its commit."""
        first = len(self._sent)
        for n in range(first, first + EVENTS):
            self._sent[f"e{n}"] = time.perf_counter()
            self.broker.deliver(self.topology.context, envelope("test.bank", f"e{n}", key=f"other-{n}"))
            await asyncio.sleep(0.01)
        await while_moving(lambda: len(self.taken) == first + EVENTS, lambda: len(self.taken))
        return [self.taken[f"e{n}"] for n in range(first, first + EVENTS)]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Consumes until the block is left, which begins after the quarantine has been read."""
        async with running(self.consumer.run()):
            await while_moving(lambda: "treaty.quarantine.size" in self.probe.gauges, time.monotonic)
            yield


def _documents() -> Iterator[dict[str, Any]]:
    """Yields messages as the version before kept them: half of them on one key, the others each on a key of its own."""
    for n in range(HELD):
        key = "hot" if n % 2 else f"k{n}"
        event = envelope("test.bank", f"q{n}", key=key, body=b"b" * 500)
        yield {
            "_id": f"test.bank/q{n}",
            "partition": 0,
            "key": key,
            "order": n,
            "headers": event.headers(),
            "body": event.body,
            "since": NOON,
            "error": "" if key == "hot" and n > 1 else "ValueError: no",
            "detail": "a line of a traceback\n" * 180,
            "attempts": 9,
            "next_try": None if n % 5 else NOON + timedelta(days=100_000),
            "intent": None,
            "discarded": "",
        }


async def _fill(client: Any, context: str) -> None:
    items, documents = database(client, context).get_collection("quarantine"), list(_documents())
    for start in range(0, HELD, 2000):
        await items.insert_many(documents[start : start + 2000])


async def test_fifty_thousand_messages_in_quarantine_do_not_slow_other_keys(
    servers: dict[str, str], context: str
) -> None:
    """Full and empty alternate until the fastest rounds of each are alike: other work slows a round, not all of them.

    The first round after an opening only warms up: the quarantine has just been read.
    """
    client = connect(servers["MONGODB_URI"], "motor")
    full, empty = Desk(client, context), Desk(client, f"{context}2")
    for desk in (full, empty):
        await desk.prepare()
    await _fill(client, context)
    fastest, ratios = {full: inf, empty: inf}, [inf]
    while ratios[-1] >= 1.2 and len(ratios) <= ROUNDS:
        for desk, held in ((empty, 0), (full, HELD)):
            desk.probe.gauges.clear()
            async with desk.open():
                assert desk.probe.gauges["treaty.quarantine.size"] == held
                await desk.round()
                fastest[desk] = min(fastest[desk], median(await desk.round()))
        ratios.append(fastest[full] / fastest[empty])
    await database(client, context).client.drop_database(database(client, f"{context}2").name)
    await close(client)
    told = ", ".join(f"{ratio:.2f}" for ratio in ratios[1:])
    print(f"p50 with {HELD} in quarantine, in times of that of an empty one: {told}")
    assert ratios[-1] < 1.2
