"""`scripts/bench commands`: durable commands per second, against an echo and against a textbook outbox."""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aio_pika
from treaty.commits.log import Place
from treaty.mongo.driver import close, connect, database
from treaty.mongo.stores import MongoStores
from treaty.surroundings import Surroundings

from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import service

KINDS = ("treaty", "echo", "textbook")
_SERVERS = {
    "treaty": ["-m", "treaty.cli", "run", "commerce.inventory"],
    "echo": ["-m", "scripts.lib.bench.rivals", "echo"],
    "textbook": ["-m", "scripts.lib.bench.rivals", "textbook"],
}


class LoadFailed(Exception):
    """The load generator ended with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The extent of a measurement. Each round loads every server once, in turn, so that noise affects all equally."""

    callers: int = 128
    hot_callers: int = 64
    items: int = 2000
    seconds: float = 5.0
    rounds: int = 3


async def measure(plan: Plan, environ: Mapping[str, str], logs: Path) -> dict[str, Any]:
    """Returns the figures. The rates are medians over the rounds."""
    run = uuid.uuid4().hex[:8]
    rates: dict[str, list[float]] = {}
    acknowledged = 0
    async with AsyncExitStack() as stack:
        ports = free_ports(len(KINDS))
        targets = {kind: f"127.0.0.1:{port}" for kind, port in zip(KINDS, ports, strict=True)}
        for kind, port in zip(KINDS, ports, strict=True):
            own = {**environ, "GRPC_PORT": str(port), "GRPC_HOST": "127.0.0.1", "LOG_LEVEL": "warning"}
            await stack.enter_async_context(service(f"bench-{kind}", _SERVERS[kind], own, logs, targets[kind]))
        await stack.enter_async_context(_subscriber(environ["AMQP_URL"]))
        stores = await stack.enter_async_context(_stores(environ["MONGODB_URI"]))
        await _drained(stores)
        for turn in range(plan.rounds):
            for kind in KINDS:
                for name, items, callers in (("", plan.items, plan.callers), ("hot_", 1, plan.hot_callers)):
                    if kind == "echo" and name:
                        continue
                    prefix = f"b{run}{name[:1]}{turn}"
                    figures = await load(targets[kind], prefix, items, callers, plan.seconds)
                    rates.setdefault(name + kind, []).append(figures["per_s"])
                    _progress(kind, name, figures)
                    if kind == "treaty":
                        acknowledged += figures["acknowledged"]
                        await _drained(stores)
    found = await _count(environ["MONGODB_URI"], f"b{run}")
    return _figures({name: median(values) for name, values in rates.items()}, acknowledged, found)


def _figures(rates: Mapping[str, float], acknowledged: int, found: Mapping[str, int]) -> dict[str, Any]:
    return {
        "treaty_per_s": round(rates["treaty"], 1),
        "echo_per_s": round(rates["echo"], 1),
        "textbook_per_s": round(rates["textbook"], 1),
        "ratio_to_echo": round(rates["treaty"] / rates["echo"], 3),
        "ratio_to_textbook": round(rates["treaty"] / rates["textbook"], 2),
        "hot_per_s": round(rates["hot_treaty"], 1),
        "hot_textbook_per_s": round(rates["hot_textbook"], 1),
        "hot_ratio": round(rates["hot_treaty"] / rates["hot_textbook"], 2),
        "commands": acknowledged,
        "commits_found": found["commands"],
        "events_found": found["events"],
        "batches": found["commits"],
    }


def valid(figures: Mapping[str, Any]) -> bool:
    """Returns whether the store has every acknowledged command, each with its event."""
    commands, commits, events = figures["commands"], figures["commits_found"], figures["events_found"]
    return bool(commands and commits >= commands and events >= commands and commits == events)


async def load(target: str, prefix: str, items: int, callers: int, seconds: float) -> dict[str, Any]:
    """Loads a server with ReceiveStock, from a process of its own; returns the figures of that process."""
    options = {"target": target, "prefix": prefix, "items": items, "callers": callers, "seconds": seconds}
    return await run_load("scripts.lib.bench.load", "", options, within=120 + 2 * seconds)


async def run_load(module: str, what: str, options: Mapping[str, object], *, within: float = 600.0) -> dict[str, Any]:
    """Runs a load generator; returns the figures in its last line.

    Raises:
        LoadFailed: if it ended with an error.
        TimeoutError: if it did not end within so many seconds.
    """
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    loading = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *filter(None, [what]), *arguments), stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(within):
            output, _ = await loading.communicate()
    finally:
        if loading.returncode is None:
            loading.kill()
            await loading.wait()
    if loading.returncode:
        raise LoadFailed(f"the load generator {module} failed; its error is printed above")
    figures: dict[str, Any] = json.loads(output.splitlines()[-1])
    return figures


@asynccontextmanager
async def _subscriber(url: str) -> AsyncIterator[None]:
    """Binds a queue to the exchanges of both servers, so that every event is routed; it keeps the last thousand."""
    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    queue = await channel.declare_queue(exclusive=True, arguments={"x-max-length": 1000})
    for name in ("commerce.inventory.events", "bench.textbook.events"):
        exchange = await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC, durable=True)
        await queue.bind(exchange, routing_key="#")
    try:
        yield
    finally:
        await connection.close()


@asynccontextmanager
async def _stores(uri: str) -> AsyncIterator[MongoStores]:
    client = connect(uri, "motor")
    try:
        yield MongoStores(client, "commerce.inventory", surroundings=Surroundings())
    finally:
        await close(client)


async def _drained(stores: MongoStores, seconds: float = 120.0) -> None:
    """Waits until the relay has published everything, so that it does not disturb the next measurement."""
    async with asyncio.timeout(seconds):
        while (await stores.log.behind((await stores.checkpoints.load()).get("relay", Place()))).events:
            await asyncio.sleep(0.2)


async def _count(uri: str, prefix: str) -> dict[str, int]:
    """Counts the run's commits in the store, the commands in them, and their integration events."""
    client = connect(uri, "motor")
    commits = database(client, "commerce.inventory").get_collection("commits")
    found = {"commits": 0, "commands": 0, "events": 0}
    within = {"_id": {"$gte": f"stock-main/{prefix}", "$lt": f"stock-main/{prefix}~"}}
    async for commit in commits.find(within, {"causes.id": 1, "outbox.type": 1}):
        received = sum(cause["id"].startswith("ReceiveStock/") for cause in commit["causes"])
        found["commits"] += bool(received)
        found["commands"] += received
        found["events"] += len(commit["outbox"])
    await close(client)
    return found


def _progress(kind: str, name: str, figures: Mapping[str, Any]) -> None:
    where = "one item" if name else "many items"
    print(
        f"{kind:9} {where:10} {figures['per_s']:8.0f}/s  p50 {figures['p50_ms']:6.1f} ms  "
        f"p99 {figures['p99_ms']:6.1f} ms  {figures['errors']} errors",
        file=sys.stderr,
    )
