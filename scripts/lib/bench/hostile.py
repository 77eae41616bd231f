"""`scripts/bench hostile`: the answers to genuine callers, and the memory, while clients hold what they open."""

import asyncio
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import grpc
from commerce.payments.v1 import payments_service_pb2 as pb
from commerce.payments.v1 import payments_service_pb2_grpc as pb_grpc
from grpc_health.v1 import health_pb2
from treaty.clock import SystemClock
from treaty.rpc.client import channel
from treaty.web import sign

from scripts.lib.bench.attacks import Attack, requests, streams
from scripts.lib.bench.checkouts import environ_of
from scripts.lib.bench.overload import examined, watched
from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import service

_CALLERS, _SENDERS = 8, 4
_TIMEOUT = 2.0
"""Seconds for which a caller waits for its answer."""

_SECRET = "a secret of the benchmark"
_SERVICE = "/commerce.payments.v1.PaymentsService/"
_WEBHOOK = b"POST /webhooks/gateway HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The extent of a measurement.

    Attributes:
        before: another checkout, which is measured in turn with this one.
    """

    seconds: float = 5.0
    rounds: int = 1
    before: Path | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """The addresses of the server: of calls, of health checks at a port of their own, and of webhooks."""

    calls: str
    health: str
    webhooks: str


@dataclass(slots=True)
class _Genuine:
    """The answers to genuine calls and webhooks, and their refusals."""

    calls: int = 0
    refused: int = 0
    webhooks: int = 0
    webhooks_refused: int = 0
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)


def _attacks(place: _Place) -> dict[str, Callable[[], AbstractAsyncContextManager[Attack]]]:
    method = pb.RegisterMethodRequest(request_id=str(uuid.uuid4()), customer_id="ann", token="tok_1", label="card")
    body = method.SerializeToString()
    watch = health_pb2.HealthCheckRequest(service="readiness").SerializeToString()
    return {
        "calls_without_a_request": lambda: streams(place.calls, _SERVICE + "GetPayment", count=7_000),
        "answers_not_taken": lambda: streams(
            place.calls, _SERVICE + "RegisterMethod", body=body, window=0, count=7_000, sender="127.0.0.2"
        ),
        "streams_not_read": lambda: streams(
            place.calls, "/grpc.health.v1.Health/Watch", body=watch, window=0, count=7_000, sender="127.0.0.2"
        ),
        "slow_webhooks": lambda: requests(place.webhooks, _WEBHOOK),
    }


async def measure(plan: Plan, environ: Mapping[str, str], logs: Path) -> dict[str, Any]:
    """Returns the figures of each checkout and attack: medians over the rounds."""
    checkouts = {"now": environ, **({"before": environ_of(plan.before, environ)} if plan.before else {})}
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for _ in range(plan.rounds):
        for attack in _attacks(_Place("", "", "")):
            for name, own in checkouts.items():
                figures = await _round(attack, plan.seconds, own, logs / name)
                found.setdefault(name, {}).setdefault(attack, []).append(figures)
                print(f"{attack:24} {name:7} {figures}", file=sys.stderr)
    return {name: {attack: _medians(rounds) for attack, rounds in attacks.items()} for name, attacks in found.items()}


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: median(figures[name] for figures in rounds) for name in rounds[0]}


async def _round(attack: str, seconds: float, environ: Mapping[str, str], logs: Path) -> dict[str, float]:
    """Starts a server, and measures it without the attack and during it."""
    calls, health, webhooks = free_ports(3)
    place = _Place(*(f"127.0.0.1:{port}" for port in (calls, health, webhooks)))
    ports = {"GRPC_PORT": str(calls), "HEALTH_PORT": str(health), "HTTP_PORT": str(webhooks)}
    uri = environ["MONGODB_URI"].replace("/?", f"/h{uuid.uuid4().hex[:8]}?")
    own = {**environ, **ports, "MONGODB_URI": uri, "GRPC_HOST": "127.0.0.1", "HTTP_HOST": "127.0.0.1"}
    own |= {"LOG_LEVEL": "error", "PAYMENTS_WEBHOOK_SECRET": _SECRET}
    arguments = ["-m", "treaty.cli", "run", "commerce.payments"]
    async with service("hostile", arguments, own, logs, place.calls) as pid:
        await _counted(place, seconds / 3)
        calm = await _counted(place, seconds)
        asked = place.health if await _is_open(place.health) else place.calls
        async with watched(pid) as rss, _attacks(place)[attack]() as state:
            await _at_its_height(state)
            async with examined(asked) as alive:
                during = await _counted(place, seconds)
    return {
        "goodput_ratio": round(during.calls / max(calm.calls, 1), 3),
        "answered_share": round(during.calls / max(during.calls + during.refused, 1), 3),
        "webhooks_ratio": round(during.webhooks / max(calm.webhooks, 1), 3),
        "webhooks_answered_share": round(during.webhooks / max(during.webhooks + during.webhooks_refused, 1), 3),
        "health_answered": round(sum(alive) / max(len(alive), 1), 3),
        "rss_ratio": round(max(rss) / rss[0], 3),
        "opened": float(state.opened),
    }


async def _at_its_height(state: Attack) -> None:
    """Waits until the attack has opened as much as it holds, or for ten seconds."""
    end = time.perf_counter() + 10.0
    while state.opened < state.wanted and time.perf_counter() < end:
        await asyncio.sleep(0.05)


async def _is_open(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


async def _counted(place: _Place, seconds: float) -> _Genuine:
    """Makes calls and sends webhooks one after another, from several places at a time."""
    genuine = _Genuine()
    connection = channel(place.calls)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT)) as session, _ending(genuine):
        stub = pb_grpc.PaymentsServiceStub(connection)
        genuine.tasks += [asyncio.create_task(_call(stub, genuine)) for _ in range(_CALLERS)]
        genuine.tasks += [asyncio.create_task(_send(session, place.webhooks, genuine)) for _ in range(_SENDERS)]
        await asyncio.sleep(seconds)
    await connection.close()
    return genuine


@asynccontextmanager
async def _ending(genuine: _Genuine) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for task in genuine.tasks:
            task.cancel()
        await asyncio.gather(*genuine.tasks, return_exceptions=True)


async def _call(stub: Any, genuine: _Genuine) -> None:
    while True:
        try:
            await stub.GetPayment(pb.GetPaymentRequest(order_id=str(uuid.uuid4())), timeout=_TIMEOUT)
        except grpc.aio.AioRpcError as error:
            answered = error.code() is grpc.StatusCode.NOT_FOUND
            genuine.calls += answered
            genuine.refused += not answered
            await asyncio.sleep(0 if answered else 0.01)


async def _send(session: aiohttp.ClientSession, target: str, genuine: _Genuine) -> None:
    """Sends signed webhooks about payments that do not exist."""
    while True:
        body = b'{"reference": "%s", "type": "authorisation", "code": "00"}' % str(uuid.uuid4()).encode()
        headers = sign(_SECRET, str(uuid.uuid4()), int(SystemClock().now().timestamp()), body)
        try:
            async with session.post(f"http://{target}/webhooks/gateway", data=body, headers=headers) as answer:
                answered = answer.status < 500
        except (aiohttp.ClientError, TimeoutError):
            answered = False
        genuine.webhooks += answered
        genuine.webhooks_refused += not answered
        await asyncio.sleep(0 if answered else 0.01)
