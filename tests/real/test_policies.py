"""The check of policies against the management API of a real RabbitMQ, with a user that may only look."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from treaty.chance import RandomIds
from treaty.messaging.broker import TopologyDiffers
from treaty.rabbit.broker import RabbitBroker
from treaty.rabbit.policies import Policies
from treaty.testing import eventually
from treaty.testing.suites.broker import producer_of, subscriber

from scripts.lib.dev.ports import HOST, free_ports
from scripts.lib.dev.rabbitmq import PLUGINS, RabbitMQ

pytestmark = pytest.mark.slow

DESK = subscriber("made.desk", "made.bank", partitions=2)


@pytest.fixture
async def managed(tmp_path: Path) -> AsyncIterator[tuple[RabbitMQ, RabbitBroker]]:
    """A broker with the management API, and a client that checks policies as the user `looking`."""
    [port] = free_ports(1)
    listener = f"management.tcp.ip = {HOST}\nmanagement.tcp.port = {port}\n"
    folder = tmp_path / "rabbitmq"
    folder.mkdir()
    server = RabbitMQ(folder, plugins=(*PLUGINS, "rabbitmq_management"), settings=listener)
    await asyncio.to_thread(server.prepare)
    server.start()
    try:
        await eventually(server.ready, within=120)
        for command in (
            ("add_user", "looking", "secret"),
            ("set_user_tags", "looking", "monitoring"),
            ("set_permissions", "-p", "/", "looking", "^$", "^$", "^$"),
        ):
            await asyncio.to_thread(server.ctl, *command)
        policies = Policies(lambda: f"http://looking:secret@{HOST}:{port}", "/")
        client = RabbitBroker(server.uri(), name="test", ids=RandomIds(), policies=policies)
        yield server, client
        await client.close()
    finally:
        await asyncio.to_thread(server.stop)


async def test_a_context_is_not_as_declared_while_a_policy_can_drop_its_messages(
    managed: tuple[RabbitMQ, RabbitBroker],
) -> None:
    server, client = managed
    await client.declare(producer_of("made.bank"))
    await client.declare(DESK)
    await _policy(server, {"max-length": 10})
    await _seen(client, "")  # such a queue refuses messages when it is full
    await _policy(server, {"message-ttl": 60_000})
    await _seen(client, "careless sets message-ttl = 60000 on made.desk.q0")
    await _policy(server, {"max-length": 10, "overflow": "drop-head"})
    await _seen(client, "careless sets max-length = 10 on made.desk.q1")
    await asyncio.to_thread(server.ctl, "clear_policy", "careless")
    await _seen(client, "")


async def _policy(server: RabbitMQ, definition: dict[str, int | str]) -> None:
    await asyncio.to_thread(
        server.ctl, "set_policy", "careless", r"^made\.desk\.", json.dumps(definition), "--apply-to", "queues"
    )


async def _seen(client: RabbitBroker, sentence: str) -> None:
    """Waits until a declaration is refused with the sentence, or is not refused if the sentence is empty."""

    async def told() -> bool:
        try:
            await client.declare(DESK)
        except TopologyDiffers as error:
            return bool(sentence) and sentence in str(error)
        return not sentence

    await eventually(told, within=60)
