"""`scripts/bench soak`: a steady load for a long time. Memory and open files must not grow, and nothing may be lost.

Inventory answers ReceiveStock and publishes events; Ordering consumes these events through a real broker.
"""

import asyncio
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import psutil
from commerce.inventory.v1 import inventory_service_pb2 as pb
from commerce.inventory.v1 import inventory_service_pb2_grpc as pb_grpc
from treaty.chance import RandomIds
from treaty.mongo.driver import close, connect, database
from treaty.mongo.stores import MongoStores
from treaty.operations.backlog import backlog
from treaty.rabbit.broker import RabbitBroker
from treaty.rpc.client import channel, until_answered
from treaty.service.contexts import load_context
from treaty.service.ports import Ports
from treaty.surroundings import Surroundings

from scripts.lib.bench.load import Load
from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import service

CONTEXTS = ("commerce.inventory", "commerce.ordering")
MOST_GROWTH = 1.1
"""The resident memory in the last fifth of the run, divided by that in the second fifth. The first is the warm-up."""

MORE_FILES = 20
"""The number of open files may differ by this much, because a pool opens and closes connections."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The resources of a process at a time (seconds since the start): bytes of memory, open files, threads."""

    at: float
    rss: int
    files: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    minutes: float = 60.0
    per_s: float = 100.0
    items: int = 500
    every: float = 5.0


async def measure(plan: Plan, environ: Mapping[str, str], logs: Path) -> dict[str, Any]:
    """Runs the load on databases of its own; returns the figures."""
    prefix = f"s{uuid.uuid4().hex[:8]}"
    uri = environ["MONGODB_URI"].replace("/?", f"/{prefix}?")
    samples: dict[str, list[Sample]] = {name: [] for name in CONTEXTS}
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(_stores(uri))
        broker = RabbitBroker(environ["AMQP_URL"], name="soak", ids=RandomIds())
        stack.push_async_callback(broker.close)
        ports = dict(zip(CONTEXTS, free_ports(len(CONTEXTS)), strict=True))
        for name, port in ports.items():
            own = {**environ, "MONGODB_URI": uri, "GRPC_HOST": "127.0.0.1", "GRPC_PORT": str(port)}
            own |= {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", "LOG_LEVEL": "warning"}
            run = service(f"soak-{name}", ["-m", "treaty.cli", "run", name], own, logs, f"127.0.0.1:{port}")
            pid = await stack.enter_async_context(run)
            watching = asyncio.create_task(_watch(pid, plan.every, samples[name]))
            stack.callback(watching.cancel)
        opened = channel(f"127.0.0.1:{ports['commerce.inventory']}")
        stack.push_async_callback(opened.close)
        acknowledged = await _load(plan, pb_grpc.InventoryServiceStub(opened), prefix)
        left = await _drained(stores, broker)
        found = await _received(stores["commerce.inventory"], prefix)
    return {
        "minutes": plan.minutes,
        "acknowledged": acknowledged,
        "committed": found,
        "left": left,
        "processes": {name: _process_figures(taken) for name, taken in samples.items()},
    }


def faults(figures: Mapping[str, Any]) -> list[str]:
    """Returns the faults that the figures show, as sentences."""
    found = (
        []
        if figures["committed"] == figures["acknowledged"]
        else ["the number of acknowledged commands is not the number in the store"]
    )
    found += [f"{name} has {count} left to do" for name, count in figures["left"].items() if count]
    for name, taken in figures["processes"].items():
        if taken["growth"] > MOST_GROWTH:
            found.append(f"{name} grows to {taken['growth']:.3f} times its memory; at most {MOST_GROWTH} is allowed")
        if taken["files_last"] > taken["files_first"] + MORE_FILES:
            found.append(f"{name} opens more and more files: {taken['files_first']}, then {taken['files_last']}")
    return found


def _process_figures(samples: Sequence[Sample]) -> dict[str, float]:
    fifth = max(len(samples) // 5, 1)
    second, last = samples[fifth : 2 * fifth] or samples[:1], samples[-fifth:]
    return {
        "rss_mb": round(mean(sample.rss for sample in last) / 1e6, 1),
        "growth": round(mean(sample.rss for sample in last) / mean(sample.rss for sample in second), 3),
        "slope_mb_per_h": round(slope([(sample.at, sample.rss / 1e6) for sample in samples if sample.at > 60]), 2),
        "files_first": max(sample.files for sample in second),
        "files_last": max(sample.files for sample in last),
        "threads_last": last[-1].threads,
        "samples": len(samples),
    }


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Returns the slope of the line through points, by least squares: (seconds, MB) → MB per hour."""
    if len(points) < 2:
        return 0.0
    x, y = mean(at for at, _ in points), mean(value for _, value in points)
    spread = sum((at - x) ** 2 for at, _ in points)
    return sum((at - x) * (value - y) for at, value in points) / spread * 3600 if spread else 0.0


async def _load(plan: Plan, stub: Any, prefix: str) -> int:
    """Sends commands at a steady rate, and repeats each until it is answered; returns their number."""
    await Load(stub, prefix, plan.items).register(64)
    begin, sent, done = time.perf_counter(), 0, 0
    running: set[asyncio.Task[Any]] = set()
    while (elapsed := time.perf_counter() - begin) < plan.minutes * 60:
        for _ in range(min(int(elapsed * plan.per_s) - sent, 200 - len(running))):
            task = asyncio.create_task(_receive(stub, f"{prefix}-{sent % plan.items}"))
            running.add(task)
            task.add_done_callback(running.discard)
            sent += 1
        await asyncio.sleep(0.01)
    while running:
        await asyncio.wait(set(running))
    done = sent
    print(f"{sent} commands in {elapsed:.0f} s", file=sys.stderr)
    return done


async def _receive(stub: Any, sku: str) -> None:
    request = pb.ReceiveStockRequest(request_id=str(uuid.uuid4()), sku=sku, quantity=1)
    await until_answered(lambda: stub.ReceiveStock(request, timeout=10), attempts=100)


async def _watch(pid: int, every: float, samples: list[Sample]) -> None:
    watched, begin = psutil.Process(pid), time.perf_counter()
    while True:
        with watched.oneshot():
            rss, files, threads = watched.memory_info().rss, watched.num_fds(), watched.num_threads()
        samples.append(Sample(time.perf_counter() - begin, rss, files, threads))
        await asyncio.sleep(every)


async def _drained(stores: Mapping[str, MongoStores], broker: RabbitBroker, seconds: float = 120.0) -> dict[str, int]:
    """Waits until no context has work left, at most `seconds`; returns the amount of work left in each context."""
    end = time.perf_counter() + seconds
    while True:
        left = {name: await _left(name, stores[name], broker) for name in CONTEXTS}
        if not any(left.values()) or time.perf_counter() > end:
            return left
        await asyncio.sleep(0.5)


async def _left(name: str, stores: MongoStores, broker: RabbitBroker) -> int:
    ports = Ports(stores=stores, surroundings=Surroundings())
    return (await backlog(load_context(name)(ports), stores, broker, 4)).total


async def _received(stores: MongoStores, prefix: str) -> int:
    """Returns the number of pieces in stock, which is the number of commands: each command received one piece."""
    streams = await stores.log.streams(f"stock-main/{prefix}", 10_000)
    heads = [await stores.log.head(stream) for stream in streams]
    return sum(int(head.state["data"]["on_hand"]) for head in heads if head is not None)


@asynccontextmanager
async def _stores(uri: str) -> AsyncIterator[dict[str, MongoStores]]:
    client = connect(uri, "motor")
    try:
        yield {name: MongoStores(client, name, surroundings=Surroundings()) for name in CONTEXTS}
    finally:
        for name in CONTEXTS:
            await client.drop_database(database(client, name).name)
        await close(client)
