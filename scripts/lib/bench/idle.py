"""`scripts/bench idle`: the work of all contexts and of the servers while nobody asks for anything."""

import asyncio
import contextlib
import sys
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pymongo import MongoClient
from treaty.service.contexts import find_contexts

from scripts.lib import dev
from scripts.lib.bench.checkouts import environ_of
from scripts.lib.bench.used import used
from scripts.lib.databases import temporary
from scripts.lib.dev.mongodb import MongoDB
from scripts.lib.dev.ports import free_ports
from scripts.lib.dev.rabbitmq import RabbitMQ
from scripts.lib.processes import service

_SETTLED_SECONDS = 15.0
"""Seconds from ready until the measurement: by then everything that a start causes is over."""

_NOT_OURS = ("serverStatus", "replSetHeartbeat", "replSetUpdatePosition")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The extent of a measurement.

    Attributes:
        before: another checkout, which is measured in turn with this one; then only its contexts are run.
    """

    seconds: float = 20.0
    rounds: int = 1
    before: Path | None = None


async def measure(plan: Plan, environ: Mapping[str, str], logs: Path) -> dict[str, Any]:
    """Returns the figures, medians over the rounds.

    They are {cores, store_ops_per_s, services, servers}: `cores` is the sum of the two others, in cores, and `servers`
    leaves out a server that is not one of this checkout. With another checkout, `before` has the figures of that one,
    and `cores_ratio` and `store_ops_ratio` are this one's in parts of those.
    """
    checkouts = {"now": environ, **({"before": environ_of(plan.before, environ)} if plan.before else {})}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    contexts = [name for name in find_contexts() if plan.before is None or _is_in(plan.before, name)]
    for _ in range(plan.rounds):
        for name, own in checkouts.items():
            found[name].append(await _round(contexts, plan.seconds, own, logs / name))
            print(f"{name:7} {found[name][-1]}", file=sys.stderr)
    now, *before = [
        {key: round(median(one[key] for one in rounds), 3) for key in rounds[0]} for rounds in found.values()
    ]
    if not before:
        return {**now, "cores_ratio": None}
    ratios = {f"{name}_ratio": round(now[key] / before[0][key], 3) for name, key in _RATIOS}
    return {**now, **ratios, "before": before[0]}


_RATIOS = (("cores", "cores"), ("store_ops", "store_ops_per_s"))


def _is_in(checkout: Path, context: str) -> bool:
    return (checkout / "services").joinpath(*context.split(".")).is_dir()


async def _round(names: Sequence[str], seconds: float, environ: Mapping[str, str], logs: Path) -> dict[str, float]:
    """Runs contexts, each in a process of its own, and measures them."""
    prefix = f"idle_{uuid.uuid4().hex[:8]}"
    uri = environ["MONGODB_URI"].replace("/?", f"/{prefix}?")
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(
            temporary(environ["MONGODB_URI"], [f"{prefix}_{name.replace('.', '_')}" for name in names])
        )
        own = {**environ, "MONGODB_URI": uri, "LOG_LEVEL": "warning"}
        services = [await stack.enter_async_context(_running(name, own, logs)) for name in names]
        await asyncio.sleep(_SETTLED_SECONDS)
        servers = [pid for server in servers_of(environ) if (pid := server.pid())]
        client: MongoClient[Any] = stack.enter_context(contextlib.closing(MongoClient(environ["MONGODB_URI"])))
        began = [_seconds(services), _seconds(servers), commands_of(client)]
        await asyncio.sleep(seconds)
        ended = [_seconds(services), _seconds(servers), commands_of(client)]
    ours, theirs, commands = ((after - before) / seconds for before, after in zip(began, ended, strict=True))
    return {"cores": ours + theirs, "store_ops_per_s": commands, "services": ours, "servers": theirs}


@contextlib.asynccontextmanager
async def _running(name: str, environ: Mapping[str, str], logs: Path) -> AsyncIterator[int]:
    grpc_port, http_port, health_port = map(str, free_ports(3))
    ports = {"GRPC_PORT": grpc_port, "HTTP_PORT": http_port, "HEALTH_PORT": health_port}
    own = {**environ, **ports, "GRPC_HOST": "127.0.0.1", "HTTP_HOST": "127.0.0.1"}
    arguments = ["-m", "treaty.cli", "run", name]
    async with service(f"idle-{name}", arguments, own, logs, f"127.0.0.1:{grpc_port}") as pid:
        yield pid


def servers_of(environ: Mapping[str, str]) -> Sequence[MongoDB | RabbitMQ]:
    """Returns those of the servers that are this checkout's."""
    servers: list[MongoDB | RabbitMQ] = [MongoDB(dev.FOLDER / "mongodb"), RabbitMQ(dev.FOLDER / "rabbitmq")]
    return [server for server in servers if server.port() and f":{server.port()}/" in environ[server.variable]]


def _seconds(pids: Sequence[int]) -> float:
    """Returns the CPU seconds that processes have used."""
    return sum(used({str(pid): pid for pid in pids}).values())


def commands_of(client: MongoClient[Any]) -> float:
    """Returns the number of commands that MongoDB has carried out, without those of this measurement."""
    counted = client.admin.command("serverStatus")["metrics"]["commands"]
    return float(
        sum(
            one["total"]
            for name, one in counted.items()
            if isinstance(one, dict) and name not in _NOT_OURS and "total" in one
        )
    )
