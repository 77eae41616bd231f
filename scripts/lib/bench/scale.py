"""`scripts/bench scale`: how Inventory's rate depends on its log, its processes and its keys; replays and rebuilds."""

import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bson.timestamp import Timestamp
from pymongo import AsyncMongoClient
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.surroundings import Surroundings

from scripts.lib.bench.commands import LoadFailed, run_load
from scripts.lib.databases import temporary
from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import service
from scripts.lib.virtual_hosts import virtual_host

_INVENTORY, _ORDERING = "commerce.inventory", "commerce.ordering"
_VIEW = f"{_INVENTORY}/stock"
_FOLLOWERS = ("relay", "calls", "projection stock")
_BATCH = 1000
_WITHIN = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The extent of a measurement.

    Attributes:
        commits: how many commits the largest log has; the others have a tenth of it, and so on, down to 1,000.
        keys: the largest number of items that are loaded; the others have a hundredth of it, and 10.
        processes: how many processes of Inventory are loaded at most.
    """

    commits: int = 1_000_000
    keys: int = 100_000
    processes: int = 3
    callers: int = 128
    seconds: float = 5.0

    @property
    def logs(self) -> Sequence[int]:
        sizes = [self.commits]
        while sizes[0] > 1000:
            sizes.insert(0, max(sizes[0] // 10, 1000))
        return sizes


async def measure(plan: Plan, environ: Mapping[str, str], logs: Path) -> dict[str, Any]:
    """Returns the figures: rates in commands, events and commits a second, and ratios to an empty log."""
    by_log = await _by_log(plan, environ, logs)
    by_keys = {}
    for keys in sorted({10, max(plan.keys // 100, 10), plan.keys}):
        by_keys[str(keys)] = await _loaded(environ, logs, plan, keys=keys)
        _say(f"{keys:,} items: {by_keys[str(keys)]:.0f}/s")
    apart, together = {}, {}
    for number in range(1, plan.processes + 1):
        apart[str(number)] = await _loaded(environ, logs, plan, processes=number)
        together[str(number)] = await _loaded(environ, logs, plan, processes=number, shared=True)
        _say(f"{number} processes: {apart[str(number)]:.0f}/s; with the same items {together[str(number)]:.0f}/s")
    return {
        **by_log,
        "per_s_by_keys": {name: round(rate, 1) for name, rate in by_keys.items()},
        "per_s_by_processes": {name: round(rate, 1) for name, rate in apart.items()},
        "per_s_by_processes_with_the_same_items": {name: round(rate, 1) for name, rate in together.items()},
        "replayed_per_s": round(await _replayed(plan, environ, logs), 1),
    }


async def _by_log(plan: Plan, environ: Mapping[str, str], logs: Path) -> dict[str, Any]:
    """Loads Inventory with logs of several sizes, each beside an empty one; rebuilds a read model of the largest."""
    rates, relative, rebuilt = {}, {}, 0.0
    for size in plan.logs:
        async with AsyncExitStack() as stack:
            empty, full = await _database(environ, stack), await _database(environ, stack)
            beside = await _rate(empty, logs, plan, 1)
            await _fill(full, size, await _sample(empty))
            rates[str(size)] = await _rate(full, logs, plan, 1)
            relative[str(size)] = round(rates[str(size)] / beside, 3)
            _say(f"{size:,} commits in the log: {rates[str(size)]:.0f}/s; with an empty log {beside:.0f}/s")
            if size == plan.logs[-1]:
                rebuilt = await _rebuilt(full, logs)
    return {
        "per_s_by_log": {size: round(rate, 1) for size, rate in rates.items()},
        "ratio_by_log": relative,
        "rebuilt_per_s": round(rebuilt, 1),
    }


async def _database(environ: Mapping[str, str], stack: AsyncExitStack) -> dict[str, str]:
    """Returns the environment with databases and a virtual host that are dropped after the block."""
    prefix = f"scale_{uuid.uuid4().hex[:8]}"
    names = [f"{prefix}_{name.replace('.', '_')}" for name in (_INVENTORY, _ORDERING)]
    await stack.enter_async_context(temporary(environ["MONGODB_URI"], names))
    own = stack.enter_context(virtual_host(environ))
    uri = environ["MONGODB_URI"].replace("/?", f"/{prefix}?")
    return {**environ, **own, "MONGODB_URI": uri, "LOG_LEVEL": "warning", "GRPC_HOST": "127.0.0.1"}


def _running(environ: Mapping[str, str], logs: Path, name: str, context: str = _INVENTORY, port: int = 0) -> Any:
    port = port or free_ports(1)[0]
    own = {**environ, "GRPC_PORT": str(port), "HTTP_PORT": "0"}
    return service(f"scale-{name}", ["-m", "treaty.cli", "run", context], own, logs, f"127.0.0.1:{port}")


async def _loaded(
    environ: Mapping[str, str],
    logs: Path,
    plan: Plan,
    *,
    keys: int = 2000,
    processes: int = 1,
    shared: bool = False,
) -> float:
    """Returns the rate of new processes with an empty log."""
    async with AsyncExitStack() as stack:
        return await _rate(await _database(environ, stack), logs, plan, processes, keys=keys, shared=shared)


async def _rate(
    environ: Mapping[str, str],
    logs: Path,
    plan: Plan,
    processes: int,
    *,
    keys: int = 2000,
    shared: bool = False,
) -> float:
    """Starts processes, and loads all of them; returns their commands a second together.

    Args:
        shared: whether all processes change the same items. By default each has items of its own.
    """
    async with AsyncExitStack() as stack:
        run, options = uuid.uuid4().hex[:6], {"items": keys, "seconds": plan.seconds}
        options["callers"] = plan.callers // processes
        loads = []
        for number in range(processes):
            [port] = free_ports(1)
            await stack.enter_async_context(_running(environ, logs, str(number), port=port))
            prefix = run if shared else f"{run}-{number}"
            loads.append({**options, "target": f"127.0.0.1:{port}", "prefix": prefix})
        for each in loads[:1] if shared else loads:
            await run_load("scripts.lib.bench.load", "register", each)
        rates = await asyncio.gather(*(run_load("scripts.lib.bench.load", "load", each) for each in loads))
        return float(sum(figures["per_s"] for figures in rates))


async def _sample(environ: Mapping[str, str]) -> Mapping[str, Any]:
    """Returns a commit with which an item was registered."""
    async with _commits(environ) as commits:
        found: Mapping[str, Any] = await commits.find_one({"version": 1, "stream": {"$regex": "^stock-main/"}})
    return found


async def _fill(environ: Mapping[str, str], size: int, sample: Mapping[str, Any]) -> None:
    """Fills a log with copies of a commit, as followers left it that have done everything."""
    async with _commits(environ) as commits:
        for first in range(0, size, _BATCH):
            numbers = range(first, min(first + _BATCH, size))
            await commits.insert_many([_copy(sample, number) for number in numbers], ordered=False)
    client = connect(environ["MONGODB_URI"], "motor")
    stores = MongoStores(client, _INVENTORY, surroundings=Surroundings())
    await stores.checkpoints.save(dict.fromkeys(_FOLLOWERS, await stores.log.end()), 0)
    await close(client)


def _copy(sample: Mapping[str, Any], number: int) -> Mapping[str, Any]:
    stream = f"stock-main/copy-{number}"
    own = {"_id": f"{stream}@{1:012d}", "stream": stream, "token": stream, "position": Timestamp(0, 0)}
    return {**sample, **own}


@asynccontextmanager
async def _commits(environ: Mapping[str, str]) -> AsyncIterator[Any]:
    """Yields the collection of Inventory's commits."""
    client: AsyncMongoClient[Any] = AsyncMongoClient(environ["MONGODB_URI"])
    async with client:
        name = f"{client.get_default_database().name}_{_INVENTORY.replace('.', '_')}"
        yield client[name]["commits"]


async def _rebuilt(environ: Mapping[str, str], logs: Path) -> float:
    """Rebuilds the read model of a log; returns the commits a second."""
    async with _running(environ, logs, "rebuilt"), _commits(environ) as commits:
        total = await commits.estimated_document_count()
        begun = time.perf_counter()
        await _treaty(environ, "projections", "rebuild", _VIEW)
        return float(total / (time.perf_counter() - begun))


async def _replayed(plan: Plan, environ: Mapping[str, str], logs: Path) -> float:
    """Replays events of Inventory to Ordering, which has seen none of them; returns the events a second."""
    async with AsyncExitStack() as stack:
        own = await _database(environ, stack)
        await _rate(own, logs, plan, 1)
        await stack.enter_async_context(_running(own, logs, "inventory"))
        await stack.enter_async_context(_running(own, logs, "ordering", _ORDERING))
        begun = time.perf_counter()
        told = await _treaty(
            own,
            "replay",
            "start",
            _INVENTORY,
            *("--to", _ORDERING, "--reason", "measured"),
            *("--timeout", "600", "--json"),
        )
        seconds = time.perf_counter() - begun
    _say(f"replay: {told}")
    return float(json.loads(told)["delivered"] / seconds)


async def _treaty(environ: Mapping[str, str], *arguments: str) -> str:
    """Runs a command of `treaty`; returns its output.

    Raises:
        LoadFailed: if it ended with an error.
    """
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "treaty.cli", *arguments), env=dict(environ), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(_WITHIN):
        output, _ = await running.communicate()
    if running.returncode:
        raise LoadFailed(f"treaty {' '.join(arguments)} ended with {running.returncode}")
    return output.decode()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
