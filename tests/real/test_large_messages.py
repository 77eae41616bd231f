"""On real servers, messages of 17 MB fit into a small process: some fail, none is lost, and other keys go on."""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator

import aio_pika
import pytest
from aio_pika.abc import AbstractExchange
from treaty.chance import RandomIds
from treaty.rabbit.broker import RabbitBroker
from treaty.testing.samples import envelope

from scripts.lib import dev
from scripts.lib.dev.rabbitmq import MAX_MESSAGE_SIZE
from tests.real.heavy_consumer import PRODUCER, heavy

pytestmark = pytest.mark.slow

LARGE, SMALL, POISON = 30, 600, 10
BODY = 17 * 1024 * 1024
MOST_MIB = 512


@pytest.fixture
def permissive(servers: dict[str, str]) -> Iterator[dict[str, str]]:
    """A broker that accepts messages of any size from any producer."""
    if os.environ.get("AMQP_URL") and not dev.env_file().exists():
        pytest.skip("this broker's max_message_size cannot be changed")
    _set_limit(134_217_728)
    yield servers
    _set_limit(MAX_MESSAGE_SIZE)


def _set_limit(size: int) -> None:
    dev.rabbitmqctl("eval", f"application:set_env(rabbit, max_message_size, {size}).")


@pytest.fixture
async def inbox(permissive: dict[str, str], context: str) -> AsyncIterator[AbstractExchange]:
    """The inbox of a context, to which a foreign producer publishes."""
    broker = RabbitBroker(permissive["AMQP_URL"], name="test", ids=RandomIds(), timeout=60.0)
    await broker.declare(heavy(context))
    connection = await aio_pika.connect(permissive["AMQP_URL"])
    channel = await connection.channel()
    yield await channel.get_exchange(f"{heavy(context).context}.slots", ensure=False)
    await connection.close()
    await broker.close()


async def _publish(inbox: AbstractExchange, id: str, body: bytes) -> str:
    """Publishes an event with a key of its own; returns the digest of its body."""
    event = envelope(PRODUCER, id, key=f"key of {id}", body=body)
    message = aio_pika.Message(body, headers={**event.headers()}, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await inbox.publish(message, event.type)
    return hashlib.blake2b(body).hexdigest()


async def test_thirty_messages_of_17_mb_are_handled_or_kept_within_512_mib(
    permissive: dict[str, str], context: str, inbox: AbstractExchange
) -> None:
    sent = {}
    for n in range(SMALL):
        sent[f"small-{n}"] = await _publish(inbox, f"small-{n}", b"small %d" % n)
        if n % (SMALL // LARGE) == 0:
            kind = "poison" if n // (SMALL // LARGE) < POISON else "large"
            sent[f"{kind}-{n}"] = await _publish(inbox, f"{kind}-{n}", os.urandom(1024) * (BODY // 1024))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.real.heavy_consumer", context, str(len(sent)), str(POISON)),
        env={**os.environ, **permissive},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    seen = json.loads(output.splitlines()[-1])
    assert seen["digests"] == sent
    assert sorted(seen["held"]) == sorted(f"{PRODUCER}/{id}" for id in sent if id.startswith("poison"))
    print(f"peak of memory: {seen['peak_kib'] / 1024:.0f} MiB")
    assert seen["peak_kib"] < MOST_MIB * 1024
