"""Inboxes on the real broker: what their layout keeps, and how a running context leaves the older layout."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity
from treaty.chance import RandomIds
from treaty.followers.inbox import InboxReader
from treaty.messaging.broker import NotAccepted, Topology, TopologyDiffers, exchange_of
from treaty.messaging.quarantine import Intent
from treaty.messaging.replays import Replay
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.operations.marks import Marks
from treaty.operations.renewal import Renewal
from treaty.rabbit.broker import RabbitBroker
from treaty.rabbit.hashed import Hashed
from treaty.rabbit.inboxes import Inboxes
from treaty.rabbit.renewal import RabbitOldInbox
from treaty.rabbit.topology import bind, declare_exchange
from treaty.surroundings import Surroundings
from treaty.testing import eventually, while_moving
from treaty.testing.samples import NOON, envelope
from treaty.testing.suites.broker import Receiver, producer_of, subscriber

from scripts.lib import dev
from scripts.lib.databases import temporary
from tests.toolkit.pair import HAPPENED, POISON, Pair

pytestmark = pytest.mark.slow


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(url) as connection:
        yield await connection.channel()


@asynccontextmanager
async def broker_at(url: str) -> AsyncIterator[RabbitBroker]:
    broker = RabbitBroker(url, name="test", ids=RandomIds())
    yield broker
    await broker.close()


async def declare_older(url: str, topology: Topology) -> None:
    """Declares an inbox as the version before does."""
    async with opened(url) as channel:
        await declare_exchange(channel, topology)
        inbox = await Hashed().declare(channel, topology, slots=True)
        await bind(channel, inbox, topology.subscribes)


async def test_a_message_without_a_slot_goes_to_the_first_partition(servers: dict[str, str], context: str) -> None:
    topology = subscriber(f"{context}.desk", context, partitions=4)
    async with broker_at(servers["AMQP_URL"]) as broker, opened(servers["AMQP_URL"]) as channel:
        await broker.declare(producer_of(context))
        await broker.declare(topology)
        exchange = await channel.get_exchange(exchange_of(context))
        for n in range(20):
            event = envelope(context, f"e{n}", key=f"key-{n}")
            await exchange.publish(aio_pika.Message(b"", headers={**event.headers()}), event.type, mandatory=True)
        receiver = Receiver()
        async with broker.consume(topology, 0, receiver):
            await eventually(lambda: len(receiver.got) == 20)
        assert receiver.got == [f"e{n}" for n in range(20)]


@pytest.mark.parametrize("partitions", [3, 5, 8])
async def test_another_number_of_partitions_is_refused(servers: dict[str, str], context: str, partitions: int) -> None:
    topology = subscriber(f"{context}.desk", context, partitions=4)
    async with broker_at(servers["AMQP_URL"]) as broker:
        await broker.declare(producer_of(context))
        await broker.declare(topology)
        with pytest.raises(TopologyDiffers):
            await broker.declare(replace(topology, partitions=partitions))
        await broker.declare(topology)


@pytest.mark.parametrize("definition", [{"max-length": 3}, {"max-length-bytes": 2000}])
async def test_a_full_queue_refuses_and_drops_nothing(
    servers: dict[str, str], context: str, definition: dict[str, int]
) -> None:
    url, topology = servers["AMQP_URL"], subscriber(f"{context}.desk", context)
    async with broker_at(url) as broker:
        await broker.declare(producer_of(context))
        await broker.declare(topology)
        host, named = urlsplit(url).path.removeprefix("/"), f"full-{context}"
        policy = (named, f"^{context}\\.desk\\.", json.dumps(definition), "--apply-to", "queues")
        await asyncio.to_thread(dev.rabbitmqctl, "set_policy", "-p", host, *policy)
        accepted = await _filled(broker, context)
        await asyncio.to_thread(dev.rabbitmqctl, "clear_policy", "-p", host, named)
        receiver = Receiver()
        async with broker.consume(topology, 0, receiver):
            await eventually(lambda: len(receiver.got) >= len(accepted))
        assert receiver.got[: len(accepted)] == accepted


async def _filled(broker: RabbitBroker, producer: str) -> list[str]:
    """Publishes until the broker refuses, as it does a while after a policy was set; returns the accepted ids."""
    accepted: list[str] = []
    while True:
        try:
            await broker.publish(exchange_of(producer), envelope(producer, f"e{len(accepted)}", body=b"x" * 100))
        except NotAccepted:
            return accepted
        accepted.append(f"e{len(accepted)}")


class Office:
    """A bank, and a desk in two processes, on an inbox of the older layout; both contexts are new."""

    def __init__(self, servers: dict[str, str], context: str) -> None:
        self.url, self._client = servers["AMQP_URL"], connect(servers["MONGODB_URI"], "motor")
        stores = [MongoStores(self._client, name, surroundings=Surroundings()) for name in (context, f"{context}_desk")]
        brokers = [RabbitBroker(self.url, name="test", ids=RandomIds()) for _ in range(2)]
        self.pair = Pair(broker=brokers[0], bank=stores[0], desk=stores[1], name=context)
        self.beside = Pair(broker=brokers[1], bank=stores[0], desk=stores[1], name=context, taken=self.pair.taken)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await declare_older(self.url, self.pair.topology)
        async with self.pair.running(), self.beside.running():
            yield
        for pair in (self.pair, self.beside):
            await pair.broker.close()  # type: ignore[attr-defined]
        await close(self._client)

    async def commit_until(self, end: asyncio.Event) -> int:
        """Commits to some streams in turn; returns the number of commits."""
        for n in count():
            if end.is_set():
                return n
            await self.pair.commit(f"s-{n % 30}")
            await asyncio.sleep(0.004)
        raise AssertionError

    async def renew(self, *, settle: float = 2.0) -> bool:
        topology, inbox = self.pair.topology, RabbitOldInbox(self.url, self.pair.topology)
        marks = Marks(topology=topology, stores=self.pair.desk, broker=inbox, surroundings=Surroundings())
        try:
            return await Renewal(inbox=inbox, marks=marks, stores=self.pair.desk, tell=print, settle=settle).run()
        finally:
            await inbox.close()

    async def is_older_gone(self) -> bool:
        async with opened(self.url) as channel:
            try:
                await channel.get_queue(f"{self.pair.topology.context}.p0")
            except ChannelNotFoundEntity:
                return True
        return False

    async def is_switched(self) -> bool:
        """Commits an event; returns whether it, or one before it, came to the new inbox."""
        await self.pair.commit("probe")
        await asyncio.sleep(0.2)
        try:
            async with opened(self.url) as channel:
                queues = [await channel.get_queue(f"{self.pair.topology.context}.q{n}") for n in range(2)]
                return any(queue.declaration_result.message_count for queue in queues)
        except ChannelNotFoundEntity:
            return False

    def of(self, stream: str) -> list[int]:
        """Returns the versions of a stream whose events the desk took, in the order in which it did."""
        mine = [cause for cause in self.pair.taken if f"/{stream}@" in cause and cause.endswith("/Happened")]
        return [int(cause.split("@")[1].split("#")[0]) for cause in mine]


@pytest.fixture
async def office(alone: dict[str, str], context: str) -> AsyncIterator[Office]:
    async with temporary(alone["MONGODB_URI"], [f"{context}_desk".replace(".", "_")]):
        yield Office(alone, context)


async def test_a_context_leaves_the_older_layout_under_load_and_keeps_the_order(office: Office) -> None:
    pair, end = office.pair, asyncio.Event()
    async with office.running():
        await pair.commit("p-poor", body=POISON)
        await pair.commit("p-poor")
        committing = asyncio.create_task(office.commit_until(end))
        await eventually(lambda: len(pair.taken) > 200, within=60)
        poor = f"{pair.name}/p-poor@1#1"
        await eventually(lambda: pair.desk.quarantine.knows([poor]), within=60)
        assert await office.renew()
        assert await office.is_older_gone()
        before = len(pair.taken)
        await eventually(lambda: len(pair.taken) > before + 400, within=60)
        end.set()
        committed = await committing
        await pair.commit("p-poor")
        await while_moving(lambda: len(pair.taken) >= 2 * committed, lambda: len(pair.taken))
        assert not office.of("p-poor")
        edit = Intent(action="edit", reason="mended", at=NOON, body=HAPPENED)
        assert await pair.desk.quarantine.intend(poor, edit)
        await eventually(lambda: office.of("p-poor") == [1, 2, 3], within=60)
        assert not await office.renew()
    assert len(pair.taken) == len(set(pair.taken)) == 2 * (committed + 3)
    for n in range(30):
        versions = office.of(f"s-{n}")
        assert versions == sorted(versions)
        assert len(versions) == pair.versions[f"s-{n}"]


async def test_a_renewal_that_was_interrupted_goes_on_when_it_is_begun_again(office: Office) -> None:
    pair, end = office.pair, asyncio.Event()
    async with office.running():
        committing = asyncio.create_task(office.commit_until(end))
        for seconds in (0.1, 0.4, 1.0, 2.05, 2.1):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(seconds):
                    await office.renew()
        await office.renew(settle=0.0)
        end.set()
        committed = await committing
        await while_moving(lambda: len(pair.taken) == 2 * committed, lambda: len(pair.taken))
        assert await office.is_older_gone()
    for n in range(30):
        versions = office.of(f"s-{n}")
        assert versions == sorted(versions)


class Ended(Exception):
    """The process of a renewal was killed."""


@pytest.mark.parametrize("steps", [1, 2])
async def test_wherever_a_renewal_ends_an_event_of_one_type_does_not_overtake_another(
    office: Office, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    pair, kinds = office.pair, ("Happened", "Moved", "Ceased")
    for one in (office.pair, office.beside):
        one.subscriptions = [one.subscription(kind, kind) for kind in kinds]
    left, unbind = steps, aio_pika.Exchange.unbind

    async def unbind_some(self: aio_pika.Exchange, *arguments: Any, **named: Any) -> Any:
        nonlocal left
        if not left:
            raise Ended
        left -= 1
        return await unbind(self, *arguments, **named)

    async with office.running():
        with monkeypatch.context() as patched:
            patched.setattr(aio_pika.Exchange, "unbind", unbind_some)
            with suppress(Ended, TimeoutError):
                async with asyncio.timeout(10.0):
                    await office.renew(settle=1.0)
        for n in range(60):
            await pair.commit("s-1", type=kinds[n % 3])
        await asyncio.sleep(1.0)
        await office.renew(settle=0.0)
        await while_moving(lambda: len(pair.taken) == 60, lambda: len(pair.taken))
    assert [int(cause.split("@")[1].split("#")[0]) for cause in pair.taken] == list(range(1, 61))


async def test_a_declaration_that_overlaps_the_end_of_a_renewal_does_not_bring_the_older_inbox_back(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, renewed, declare, late = office.pair, asyncio.Event(), Inboxes._declare_inbox, 0
    is_late = ContextVar("is_late", default=False)

    async def declare_late(self: Inboxes, channel: AbstractChannel, topology: Topology, layout: Any) -> None:
        nonlocal late
        if is_late.get() and isinstance(layout, Hashed) and layout.is_left:
            late += 1
            await renewed.wait()
        await declare(self, channel, topology, layout)

    async with office.running():
        monkeypatch.setattr(Inboxes, "_declare_inbox", declare_late)
        renewing = asyncio.create_task(office.renew(settle=1.0))
        await asyncio.sleep(0.7)
        is_late.set(True)
        declaring = asyncio.create_task(office.beside.broker.declare(pair.topology))
        is_late.set(False)
        assert await asyncio.wait_for(renewing, 120)
        renewed.set()
        await declaring
        assert late
        assert await office.is_older_gone()
        assert not await office.renew(settle=0.0)
        await pair.commit("s-1")
        await eventually(lambda: len(pair.taken) == 2, within=30)


async def test_what_waits_for_the_inbox_waits_for_the_new_one_too_while_an_inbox_is_renewed(office: Office) -> None:
    pair, blocked = office.pair, asyncio.Event()
    take = pair.take

    async def take_later(body: bytes) -> None:
        if body == b"slow":
            await blocked.wait()
        await take(body)

    for one in (office.pair, office.beside):
        one.subscriptions = [replace(subscription, then=take_later) for subscription in one.subscriptions]
    async with office.running():
        await pair.commit("s-slow", body=b"slow")
        await asyncio.sleep(1.0)
        renewing = asyncio.create_task(office.renew(settle=1.0))
        await eventually(office.is_switched, within=20)
        await pair.commit("s-new")
        await eventually(pair.published, within=20)
        reader = InboxReader(
            topology=pair.topology,
            broker=pair.broker,
            checkpoints=pair.desk.checkpoints,
            epoch=9,
            surroundings=Surroundings(),
        )
        running = asyncio.create_task(reader.run())
        reading = asyncio.create_task(reader.read())
        await asyncio.sleep(1.0)
        blocked.set()
        await asyncio.wait_for(reading, 60)
        running.cancel()
        assert office.of("s-new") == [1]
        assert await asyncio.wait_for(renewing, 120)


async def test_an_inbox_is_not_renewed_while_a_replay_is_open(office: Office) -> None:
    pair = office.pair
    replay = Replay(
        id="r-1",
        producer=pair.name,
        types=[pair.type("Happened")],
        partitions=2,
        reason="a test",
        by="a test",
        at=NOON,
    )
    async with office.running():
        await pair.desk.replays.add(replay)
        renewing = asyncio.create_task(office.renew(settle=0.0))
        await asyncio.sleep(3.0)
        assert not renewing.done()
        await pair.desk.replays.abandon("r-1")
        assert await asyncio.wait_for(renewing, 60)


async def _treaty(environ: dict[str, str], *arguments: str) -> str:
    command = (sys.executable, "-m", "treaty.cli", "topology", *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environ}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_the_command_shows_the_layout_and_leaves_the_current_one_alone(
    alone: dict[str, str], context: str
) -> None:
    prefix, name = context.replace(".", "_"), "commerce.inventory"
    environ = {**alone, "MONGODB_URI": alone["MONGODB_URI"].replace("/?", f"/{prefix}?")}
    topology = subscriber(name, context, partitions=4)
    async with temporary(alone["MONGODB_URI"], [f"{prefix}_commerce_inventory"]):
        await declare_older(alone["AMQP_URL"], topology)
        [shown] = json.loads(await _treaty(environ, "show", name, "--json"))
        assert shown == {"context": name, "layout": "hashed", "partitions": 4, "queued": 0}
        async with opened(alone["AMQP_URL"]) as channel:
            await Hashed().delete(channel, topology)
        async with broker_at(alone["AMQP_URL"]) as broker:
            await broker.declare(topology)
        [shown] = json.loads(await _treaty(environ, "show", name, "--json"))
        assert shown["layout"] == "slots"
        assert "nothing to do" in await _treaty(environ, "renew", name)
