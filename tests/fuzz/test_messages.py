"""Whatever lies in a queue: what makes sense takes effect, the rest goes to quarantine, and nothing is lost."""

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from treaty.concurrency.tasks import at_once
from treaty.followers.inbox import note_mark
from treaty.memory.broker import MemoryBroker, _Message
from treaty.memory.leases import MemoryCheckpoints
from treaty.memory.quarantine import MemoryQuarantine
from treaty.memory.replays import MemoryReplays
from treaty.messaging.consumer import PartitionConsumer
from treaty.messaging.envelope import Malformed, parse
from treaty.messaging.tries import Patience
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.recorder import Recorder
from treaty.testing.samples import envelope
from treaty.testing.world import SeededChance

from tests.fuzz.messages import mutated
from tests.toolkit.pieces import DESK

NAMES = (
    *("id", "type", "source", "partitionkey", "time", "specversion", "subject", "sequence", "traceparent"),
    *("correlationid", "causationid", "tracestate", "baggage", "tenant", "environment", "dataschema"),
)
HEADER = st.one_of(
    st.text(),
    st.binary(),
    st.integers(),
    st.none(),
    st.booleans(),
    st.datetimes(),
    st.floats(),
    st.decimals(),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(), st.integers(), max_size=3),
    st.text(min_size=300, max_size=600),
    st.sampled_from(["", "1.0", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-07-01T12:00:00Z"]),
)
HEADERS = st.dictionaries(
    st.one_of(st.sampled_from([f"{p}{n}" for p in ("ce-", "cloudEvents_", "CE-") for n in NAMES]), st.text()), HEADER
)


@given(HEADERS, st.binary(max_size=50))
def test_the_decoder_reads_a_delivery_or_says_that_it_is_malformed(headers: Mapping[str, object], body: bytes) -> None:
    try:
        found = parse(headers, body)
    except Malformed:
        return
    assert parse(found.headers(), found.body).headers() == found.headers()
    assert found.producer is not None
    found.time.astimezone(UTC)


def noise(chance: random.Random, number: int) -> tuple[dict[str, Any], bytes]:
    """Returns the headers and the body of a delivery that somebody has damaged."""
    good = envelope("test.bank", f"damaged-{number}", key=f"bad{number % 5}")
    headers: dict[str, Any] = dict(good.headers())
    for _ in range(chance.randint(1, 4)):
        name = chance.choice([*headers, "x-other"])
        match chance.randrange(5):
            case 0:
                headers.pop(name, None)
            case 1:
                headers[name] = chance.randbytes(6)
            case 2:
                headers[name] = chance.choice((None, 7, True, 1.5, [1], {"a": 1}, datetime.now(UTC)))
            case 3:
                headers[name] = mutated(chance, str(headers.get(name, "")).encode())
            case _:
                headers[name] = "x" * 5000
    return headers, chance.randbytes(20)


def name_of(headers: Mapping[str, Any], body: bytes) -> str | bytes:
    """Returns what tells a delivery from others: two with one source and id are one event; else it is the body."""
    try:
        found = parse(headers, body)
    except Malformed:
        return body
    return body if found.type == "unreadable" else found.key


async def test_what_is_good_among_noise_takes_effect_and_the_noise_is_kept() -> None:
    chance, handled, unheard = random.Random(5), [], []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    broker, quarantine = MemoryBroker(), MemoryQuarantine()

    async def handle(event: Any) -> None:
        if event.body != b"good":
            raise ValueError("no message of ours")
        handled.append(event.id)

    await broker.declare(DESK)
    queue = broker._inboxes[DESK.context][0]
    names = set()
    for number in range(400):
        headers, body = noise(chance, number)
        queue.ready.append(_Message(headers, body))
        names.add(name_of(headers, body))
        if number % 20 == 0:
            good = envelope("test.bank", f"good-{number}", key=f"good{number}", body=b"good")
            queue.ready.append(_Message(good.headers(), good.body))
    consumer = PartitionConsumer(
        DESK,
        0,
        broker,
        handle,
        quarantine,
        MemoryReplays(),
        note_mark=partial(note_mark, MemoryCheckpoints(), 0),
        sure=at_once,
        surroundings=Surroundings(chance=SeededChance(scale=0.001), probe=Recorder()),
        patience=Patience(tries=2, pause=0.001),
    )
    running = asyncio.create_task(consumer.run())
    await eventually(lambda: not queue.ready and not queue.unacked)
    assert sorted(handled) == sorted(f"good-{number}" for number in range(0, 400, 20))
    print(f"messages: {len(handled)} good ones handled, {len(names)} damaged ones in quarantine")
    items = [await quarantine.get(item.id) for item in await quarantine.find(limit=1000)]
    assert {name_of(item.envelope.headers(), item.envelope.body) for item in items if item} == names
    consumer.drain()
    await running
    assert unheard == []
