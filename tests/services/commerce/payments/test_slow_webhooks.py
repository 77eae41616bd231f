"""Webhooks that trickle in: they take nothing from the genuine ones, and end."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from treaty.clock import SystemClock
from treaty.testing import eventually, while_moving
from treaty.testing.world import World, embedded
from treaty.web import sign

from scripts.lib.bench.attacks import requests

SECRET = "a secret of the gateway"
PATH = "/webhooks/gateway"
HEADERS = b"POST /webhooks/gateway HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
UNFINISHED = b"POST /webhooks/gateway HTTP/1.1\r\nHost: x\r\nX-Long: "
ELSEWHERE = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
KINDS = {"bodies": HEADERS, "headers": UNFINISHED, "bodies for nobody": ELSEWHERE, "silence": b""}


def _target(world: World) -> str:
    assert world.host.webhooks is not None
    return f"127.0.0.1:{world.host.webhooks.port}"


@pytest.fixture
async def patient() -> AsyncIterator[World]:
    """A world that waits long for its webhooks."""
    environ = {"PAYMENTS_WEBHOOK_SECRET": SECRET, "HTTP_PATIENCE_SECONDS": "600"}
    async with embedded("commerce.payments", environ=environ) as world:
        yield world


async def _post(world: World, id: str) -> int:
    """Sends a genuine webhook about a payment that there is not, and returns the status of the answer."""
    body = json.dumps({"reference": "aaaaaaaa-2222-4333-8444-555555555555", "type": "authorisation", "code": "00"})
    headers = sign(SECRET, id, int(SystemClock().now().timestamp()), body.encode())
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://{_target(world)}{PATH}", data=body, headers=headers) as answer,
    ):
        return answer.status


@pytest.mark.slow
@pytest.mark.parametrize("sent", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("sender", ["127.0.0.1", "127.0.0.2"], ids=["same address", "other address"])
async def test_webhooks_that_trickle_in_keep_no_genuine_one_out(patient: World, sent: bytes, sender: str) -> None:
    usual = await _post(patient, "usual")
    async with requests(_target(patient), sent, byte=b"x" if sent else b"", count=220, sender=sender) as attack:
        await eventually(lambda: attack.opened >= 220)
        assert [await _post(patient, f"m-{number}") for number in range(10)] == [usual] * 10


@pytest.mark.slow
async def test_connections_are_bounded_for_each_address(patient: World) -> None:
    async with requests(_target(patient), HEADERS, count=500, sender="127.0.0.2") as attack:
        await while_moving(lambda: attack.opened > 700, lambda: attack.opened)
        await while_moving(lambda: attack.open <= 200, lambda: attack.opened, within=120)
        await _post(patient, "m-1")


@pytest.mark.slow
@pytest.mark.parametrize("sent", KINDS.values(), ids=KINDS.keys())
async def test_a_webhook_that_does_not_arrive_in_time_is_given_up(sent: bytes) -> None:
    environ = {"PAYMENTS_WEBHOOK_SECRET": SECRET, "HTTP_PATIENCE_SECONDS": "0.3"}
    async with (
        embedded("commerce.payments", environ=environ) as world,
        requests(_target(world), sent, byte=b"x" if sent else b"", count=5) as attack,
    ):
        await eventually(lambda: attack.ended[-1] >= 5)


async def test_a_connection_may_be_idle_between_two_webhooks() -> None:
    environ = {"PAYMENTS_WEBHOOK_SECRET": SECRET, "HTTP_PATIENCE_SECONDS": "0.05"}
    loop = asyncio.get_running_loop()
    async with embedded("commerce.payments", environ=environ) as world:
        host, _, port = _target(world).rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for _ in range(3):
            writer.write(b"POST /webhooks/gateway HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 401")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            answered = loop.time()
            await eventually(lambda since=answered: loop.time() > since + 0.1)  # type: ignore[misc]
        writer.close()
