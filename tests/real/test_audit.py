"""On real servers the audit names exactly the events that the broker dropped, and brings exactly those back."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import pytest
from treaty.chance import RandomIds
from treaty.messaging.quarantine import Intent
from treaty.mongo.commits import having
from treaty.mongo.driver import close, connect, database
from treaty.mongo.stores import MongoStores
from treaty.operations.deliveries import DeliveryAudit, Findings
from treaty.rabbit.broker import RabbitBroker
from treaty.service.contexts import find_contexts
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.samples import NOON, plain_commit

from scripts.lib import dev
from scripts.lib.databases import temporary
from tests.toolkit.pair import IGNORED, POISON, Pair, ids, nothing_waits

pytestmark = pytest.mark.slow

Loss = Callable[[str, Pair], AbstractAsyncContextManager[None]]
STREAMS = [f"a-{n}" for n in range(20)]


@pytest.fixture
async def pair(alone: dict[str, str], context: str) -> AsyncIterator[Pair]:
    """A pair on real servers, whose audit has begun."""
    client = connect(alone["MONGODB_URI"], "motor")
    broker = RabbitBroker(alone["AMQP_URL"], name="test", ids=RandomIds())
    bank, desk = (MongoStores(client, name, surroundings=Surroundings()) for name in (context, f"{context}_desk"))
    pair = Pair(broker=broker, bank=bank, desk=desk, name=context)
    async with temporary(alone["MONGODB_URI"], [f"{context}_desk".replace(".", "_")]):
        async with pair.running():
            await pair.audit().round()
        yield pair
        await broker.close()
        await close(client)


async def emptied(url: str, pair: Pair) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for partition in range(2):
            await (await channel.get_queue(pair.topology.queue(partition))).purge()


@asynccontextmanager
async def purge(url: str, pair: Pair) -> AsyncIterator[None]:
    yield
    await emptied(url, pair)


@asynccontextmanager
async def delete(url: str, pair: Pair) -> AsyncIterator[None]:
    yield
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for partition in range(2):
            await channel.queue_delete(pair.topology.queue(partition), if_unused=False, if_empty=False)


async def drops(url: str, pair: Pair) -> bool:
    """Returns whether the queues drop messages now: a policy comes into force a while after it was set."""
    await emptied(url, pair)
    for partition in (0, 1) * 10:
        await pair.broker.end_replay(pair.topology, partition, "a try")
    await asyncio.sleep(0.3)
    return await pair.broker.queued(pair.topology) < 20


def policy(definition: Mapping[str, int | str]) -> Loss:
    """Returns a loss by a policy, which is removed once messages were lost."""

    @asynccontextmanager
    async def lose(url: str, pair: Pair) -> AsyncIterator[None]:
        host, named = urlsplit(url).path.removeprefix("/"), f"^{pair.topology.context}\\."
        await asyncio.to_thread(
            dev.rabbitmqctl, "set_policy", "-p", host, "careless", named, json.dumps(definition), "--apply-to", "queues"
        )
        await eventually(lambda: drops(url, pair), within=120)
        await emptied(url, pair)
        yield

        async def dropped() -> bool:
            await asyncio.sleep(0.2)
            return await pair.broker.queued(pair.topology) < 2 * len(STREAMS)

        await eventually(dropped, within=120)
        await asyncio.to_thread(dev.rabbitmqctl, "clear_policy", "-p", host, "careless")

    return lose


async def unread(audit: DeliveryAudit) -> Findings | None:
    found = await audit.round()
    return found if found.unread else None


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(purge, id="purged"),
        pytest.param(delete, id="queues deleted"),
        pytest.param(policy({"message-ttl": 1}), id="message-ttl"),
        pytest.param(policy({"max-length": 3, "overflow": "drop-head"}), id="max-length"),
    ],
)
async def test_what_the_broker_dropped_is_missing_and_comes_again_once(
    pair: Pair, alone: dict[str, str], loss: Loss
) -> None:
    async with pair.running():
        await pair.commit(*STREAMS)
        await pair.commit("p-poor", "p-worse", body=POISON)
        await pair.commit("i-one", body=IGNORED)
        await eventually(lambda: len(pair.taken) == 40, within=60)
        await pair.desk.quarantine.intend(f"{pair.name}/p-worse@1#1", Intent(action="discard", reason="no", at=NOON))
    async with pair.running(desk=False), loss(alone["AMQP_URL"], pair):
        await pair.commit(*STREAMS, *STREAMS)
        await pair.commit("i-two", body=IGNORED)
        await eventually(pair.published, within=60)
        waiting = pair.audit(patience=0.5)
        found = await eventually(lambda: unread(waiting))
        assert found is not None
        assert not found.missing
    async with pair.running():
        await pair.commit("b-last")
        await eventually(lambda: any("b-last" in cause for cause in pair.taken), within=60)
        audit = pair.audit()
        found = await nothing_waits(audit)
        lost = {f"{stream}@{version}#1" for stream in STREAMS for version in (2, 3)}
        lost -= {cause.split("/")[1] for cause in pair.taken}
        assert sorted(ids(found)) == sorted(lost)
        assert lost
        before = len(pair.taken)
        assert await pair.redelivery().deliver(found.missing) == len(lost)
        assert await nothing_waits(audit) == Findings()
    again = pair.taken[before:]
    assert len(again) == 2 * len(lost)
    assert len(pair.taken) == len(set(pair.taken)) == 2 * 3 * len(STREAMS) + 2
    for stream in STREAMS:
        mine = [cause for cause in again if f"/{stream}@" in cause and cause.endswith("/Happened")]
        assert mine == sorted(mine)


async def test_causes_are_looked_up_in_the_index(servers: dict[str, str], context: str) -> None:
    client = connect(servers["MONGODB_URI"], "motor")
    stores = MongoStores(client, context, surroundings=Surroundings())
    for n in range(200):
        await stores.log.append(plain_commit(f"note-{n}", causes=[f"made.bank/a-{n}@1#1/Noted/step"]))
    causes = [f"made.bank/a-{n}@1#1/Noted" for n in (7, 70, 170, 700)]
    assert await stores.log.took_effect(causes) == set(causes[:3])
    explained = await database(client, context).command(
        {"explain": {"find": "commits", "filter": having(causes), "hint": "inbox"}, "verbosity": "executionStats"}
    )
    assert explained["executionStats"]["totalDocsExamined"] == 3
    assert explained["executionStats"]["totalKeysExamined"] < 20
    await close(client)


async def treaty(environ: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "treaty.cli", *arguments),
        env={**os.environ, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_command_audits_all_contexts_once_or_until_it_is_ended(
    alone: dict[str, str], context: str, tmp_path: Path
) -> None:
    prefix = context.replace(".", "_")
    environ = {**alone, "MONGODB_URI": alone["MONGODB_URI"].replace("/?", f"/{prefix}?")}
    names = [f"{prefix}_{name.replace('.', '_')}" for name in find_contexts()]
    async with temporary(alone["MONGODB_URI"], names):
        once = await treaty(environ, "audit", "--json")
        output, errors = await once.communicate()
        assert once.returncode == 0, errors.decode()
        found = json.loads(output)
        assert found["commerce.inventory"] == {"missing": [], "waiting": 0, "unread": [], "delivered": 0}
        alive = tmp_path / "alive"
        following = await treaty(environ, "audit", "commerce.inventory", "--follow", "--mend", "--alive", str(alive))
        await eventually(alive.exists, within=60)
        following.terminate()
        assert await following.wait() == 0
