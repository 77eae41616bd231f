"""`scripts/bench overload`: the behaviour of a service under three times the load that it can carry, and afterwards."""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc
from treaty.mongo.driver import close, connect, database
from treaty.rpc.client import channel
from treaty.rpc.health import LIVENESS

from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import service

AIMS = {"goodput_ratio": 0.8, "recovered_ratio": 0.95, "recovery_s": 30.0, "refused_p99_ms": 1000.0, "rss_ratio": 1.5}
"""The limits for the figures: minimums for the first two, maximums for the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    seconds: float = 20.0
    callers: int = 128
    times: float = 3.0
    items: int = 2000


class Generator:
    """The process that generates the load."""

    def __init__(self, running: asyncio.subprocess.Process) -> None:
        self._running = running

    async def phase(self, seconds: float, **asked: float) -> dict[str, Any]:
        assert self._running.stdin is not None
        self._running.stdin.write(json.dumps({"seconds": seconds, **asked}).encode() + b"\n")
        return await self.told(seconds + 30)

    async def told(self, seconds: float) -> dict[str, Any]:
        assert self._running.stdout is not None
        async with asyncio.timeout(seconds):
            line = await self._running.stdout.readline()
        if not line:
            raise RuntimeError("the load generator has ended; its error is printed above")
        found: dict[str, Any] = json.loads(line)
        return found


async def measure(plan: Plan, environ: Mapping[str, str], logs: Path) -> dict[str, Any]:
    """Returns the figures: of the peak (closed loop), a load far above it, half the peak, and the peak again."""
    prefix = f"o{uuid.uuid4().hex[:8]}"
    [port] = free_ports(1)
    uri = environ["MONGODB_URI"].replace("/?", f"/{prefix}?")
    own = {**environ, "MONGODB_URI": uri, "GRPC_PORT": str(port), "GRPC_HOST": "127.0.0.1", "LOG_LEVEL": "warning"}
    target = f"127.0.0.1:{port}"
    async with _database(uri):
        return await _measure(plan, own, logs, target, prefix)


async def _measure(plan: Plan, own: Mapping[str, str], logs: Path, target: str, prefix: str) -> dict[str, Any]:
    arguments = ["-m", "treaty.cli", "run", "commerce.inventory"]
    async with (
        service("overload", arguments, own, logs, target) as pid,
        _generator(target, prefix, plan.items) as generator,
        watched(pid) as rss,
    ):
        await generator.phase(plan.seconds / 4, callers=plan.callers)
        before = await generator.phase(plan.seconds / 2, callers=plan.callers)
        _progress("peak, closed loop", before)
        rss_before = rss[-1]
        async with examined(target) as healthy:
            during = await generator.phase(plan.seconds, rate=plan.times * before["goodput_per_s"])
        _progress(f"{plan.times:g} times that, open loop", during)
        rss_max = max(rss)
        half = await generator.phase(max(plan.seconds / 4, 2.0), rate=before["goodput_per_s"] / 2)
        _progress("half of the peak, open loop", half)
        after = await generator.phase(plan.seconds / 2, callers=plan.callers)
        _progress("peak again", after)
        megabytes = [round(value / 1e6, 1) for value in (rss_before, rss_max, rss[-1])]
    alive = round(sum(healthy) / max(len(healthy), 1), 3)
    return {**_figures(before, during, half, after, megabytes), "health_answered": alive}


def _figures(
    before: Mapping[str, Any],
    during: Mapping[str, Any],
    half: Mapping[str, Any],
    after: Mapping[str, Any],
    megabytes: Sequence[float],
) -> dict[str, Any]:
    peak = before["goodput_per_s"]
    offered_half = half["offered_per_s"]
    refused, dropped = during["refused"], during["codes"].get("1", 0)
    return {
        "peak_per_s": round(peak, 1),
        "offered_per_s": round(during["offered_per_s"], 1),
        "offered_ratio": round(during["offered_per_s"] / peak, 2),
        "goodput_per_s": round(during["goodput_per_s"], 1),
        "goodput_ratio": round(during["goodput_per_s"] / peak, 3),
        "refused_share": round(refused / max(sum(during["codes"].values()), 1), 3),
        "dropped_share": round(dropped / max(sum(during["codes"].values()), 1), 3),
        "refused_told_when": round(during["refused_told_when"] / max(refused, 1), 3),
        "refused_p99_ms": round(during["refused_p99_ms"], 1),
        "answered_p99_ms": round(during["answered_p99_ms"], 1),
        "codes": during["codes"],
        "rss_mb": dict(zip(("before", "max", "after"), megabytes, strict=True)),
        "rss_ratio": round(megabytes[1] / megabytes[0], 3),
        "recovered_ratio": round(after["goodput_per_s"] / peak, 3),
        "recovery_s": recovery(half["per_second"], offered_half),
        "acknowledged": sum(phase["acknowledged"] for phase in (before, during, half, after)),
    }


def recovery(per_second: Sequence[int], offered: float) -> float | None:
    """Returns the seconds of light load until nearly all of it (95 %) is answered, or None if that never happens."""
    return next((float(second) for second, count in enumerate(per_second) if count >= 0.95 * offered), None)


def missed(figures: Mapping[str, Any]) -> list[str]:
    """Returns the aims that the figures do not reach."""
    found = [name for name in ("goodput_ratio", "recovered_ratio") if figures[name] < AIMS[name]]
    most = ("recovery_s", "refused_p99_ms", "rss_ratio")
    return found + [name for name in most if figures[name] is None or figures[name] > AIMS[name]]


@asynccontextmanager
async def _database(uri: str) -> AsyncIterator[None]:
    """Drops the database of the run at its end."""
    try:
        yield
    finally:
        client = connect(uri, "motor")
        await client.drop_database(database(client, "commerce.inventory").name)
        await close(client)


@asynccontextmanager
async def _generator(target: str, prefix: str, items: int) -> AsyncIterator[Generator]:
    arguments = ["--target", target, "--prefix", prefix, "--items", str(items)]
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.lib.bench.offers", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        generator = Generator(running)
        await generator.told(120)
        yield generator
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


@asynccontextmanager
async def watched(pid: int) -> AsyncIterator[list[int]]:
    """Yields a list to which the resident memory of a process, in bytes, is added twice a second."""
    found = [psutil.Process(pid).memory_info().rss]

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.5)
            found.append(psutil.Process(pid).memory_info().rss)

    watching = asyncio.create_task(watch())
    try:
        yield found
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


@asynccontextmanager
async def examined(target: str) -> AsyncIterator[list[bool]]:
    """Yields a list of results of liveness checks: one every second, on a new connection, as a kubelet does it."""
    found: list[bool] = []

    async def examine() -> None:
        while True:
            asking = channel(target)
            try:
                request = health_pb2.HealthCheckRequest(service=LIVENESS)
                await health_pb2_grpc.HealthStub(asking).Check(request, timeout=3)
                found.append(True)
            except grpc.aio.AioRpcError:
                found.append(False)
            finally:
                await asking.close()
            await asyncio.sleep(1.0)

    examining = asyncio.create_task(examine())
    try:
        yield found
    finally:
        examining.cancel()
        await asyncio.gather(examining, return_exceptions=True)


def _progress(name: str, figures: Mapping[str, Any]) -> None:
    print(
        f"{name:28} offered {figures['offered_per_s']:8.0f}/s  good {figures['goodput_per_s']:8.0f}/s  "
        f"p99 {figures['answered_p99_ms']:7.1f} ms  refused {figures['refused']} "
        f"(p99 {figures['refused_p99_ms']:.1f} ms)  codes {figures['codes']}",
        file=sys.stderr,
    )
