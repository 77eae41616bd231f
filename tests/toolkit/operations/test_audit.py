"""The audit of messages finds what was not taken, and what nobody announced."""

from dataclasses import replace

from treaty.commits.commit import Outgoing
from treaty.memory.stores import MemoryStores
from treaty.messaging.subscriptions import Subscription
from treaty.operations.audit import audit
from treaty.service.context_map import Pattern, Relation
from treaty.service.service import Service
from treaty.surroundings import Surroundings
from treaty.testing.samples import NOON, bare_api, plain_commit
from treaty.testing.world import SeededChance

HAPPENED = "made.up.v1.Happened"


def _stores() -> MemoryStores:
    return MemoryStores(Surroundings(chance=SeededChance()))


async def _then(command: object) -> None:
    pass


WANTED = Subscription("Happened", HAPPENED, bytes, lambda body: None if body == b"passed over" else body, _then)
PRODUCER = Service(name="made.up", api=bare_api("made.v1.Made"))
CONSUMER = Service(
    name="made.consumer",
    api=bare_api("made.v1.Made"),
    subscriptions=[WANTED],
    relations=[Relation("made.up", Pattern.CONFORMIST)],
)


async def _announce(stores: MemoryStores, stream: str, *bodies: bytes) -> None:
    outbox = [Outgoing(type=HAPPENED, body=body, time=NOON, cause=0) for body in bodies]
    await stores.log.append(replace(plain_commit(stream), outbox=outbox, sequence=len(outbox)))


async def _take(stores: MemoryStores, stream: str, *messages: str) -> None:
    await stores.log.append(plain_commit(stream, causes=list(messages)))


async def test_what_was_announced_and_taken_balances() -> None:
    producer, consumer = _stores(), _stores()
    await _announce(producer, "stock-main/tea", b"1", b"2", b"passed over")
    await _take(consumer, "a", "made.up/stock-main/tea@1#1/Happened/request", "made.up/stock-main/tea@1#2/Happened")
    found = await audit([(PRODUCER, producer.log), (CONSUMER, consumer.log)])
    assert (found.balanced, found.announced, found.taken) == (True, 3, 2)


async def test_what_was_not_taken_is_missing() -> None:
    producer, consumer = _stores(), _stores()
    await _announce(producer, "thing-1", b"1", b"2")
    await _take(consumer, "a", "made.up/thing-1@1#1/Happened")
    found = await audit([(PRODUCER, producer.log), (CONSUMER, consumer.log)])
    assert found.missing == ["made.consumer: made.up/thing-1@1#2/Happened"]
    assert not found.balanced


async def test_what_nobody_announced_is_unheard_of() -> None:
    producer, consumer = _stores(), _stores()
    await _take(consumer, "a", "made.up/thing-1@1#1/Happened")
    found = await audit([(PRODUCER, producer.log), (CONSUMER, consumer.log)])
    assert found.unheard_of == ["made.consumer: made.up/thing-1@1#1/Happened"]


async def test_what_was_announced_before_the_audit_begins_is_not_missed() -> None:
    producer, consumer = _stores(), _stores()
    await _announce(producer, "thing-1", b"1")
    since = (await producer.log.end()).position
    later = (since[0], since[1] + 1)
    assert (await audit([(PRODUCER, producer.log), (CONSUMER, consumer.log)], since=later)).balanced
