"""`scripts/bench commands`: durable commands per second, against an echo, a textbook outbox and another checkout."""

import asyncio
import json
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from scripts.lib.bench.idle import servers_of
from scripts.lib.bench.inventories import Server, count, database_of, drained, left, start
from scripts.lib.bench.used import used

_REST_SECONDS = 1.0
"""Seconds after a measurement in which a server finishes what it puts off, such as storing its places."""


class LoadFailed(Exception):
    """The load generator ended with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The extent of a measurement. Each round loads every server once, in turn, so that noise affects all equally.

    Attributes:
        before: another checkout, whose Inventory is measured too.
    """

    callers: int = 128
    hot_callers: int = 64
    items: int = 2000
    seconds: float = 5.0
    rounds: int = 3
    before: Path | None = None


@dataclass(slots=True)
class _Measured:
    """The figures of one kind of server, of all rounds."""

    per_s: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    sustained_per_s: list[float] = field(default_factory=list)
    backlog: list[float] = field(default_factory=list)
    drain_s: list[float] = field(default_factory=list)
    cpu: list[Mapping[str, float]] = field(default_factory=list)
    acknowledged: int = 0

    def cpu_by_process(self) -> Mapping[str, float]:
        """Returns the CPU seconds of 1,000 commands, by process."""
        return {name: round(median(one[name] for one in self.cpu), 3) for name in self.cpu[0]}


async def measure(plan: Plan, environ: Mapping[str, str], logs: Path) -> dict[str, Any]:
    """Returns the figures: medians over the rounds.

    A rate is that of the answers; a *sustained* rate divides the same commands by the time until also the relay and the
    read models were done with them. `cpu_s_per_1000` counts the servers and the client, until then.
    """
    run = uuid.uuid4().hex[:8]
    found: dict[tuple[str, str], _Measured] = {}
    inserts: list[float] = []
    async with AsyncExitStack() as stack:
        servers = await start(environ, logs, run, stack, before=plan.before)
        for number in range(plan.rounds):
            for load, items, callers in (
                ("many", plan.items, plan.callers),
                ("hot", 1, plan.hot_callers),
                ("one", 1, 1),
            ):
                for kind in _kinds(servers, load):
                    measured = found.setdefault((kind, load), _Measured())
                    prefix = f"b{run}{load[0]}{number}"
                    await _measure(servers[kind], measured, environ, prefix, items, callers, plan.seconds)
                    _progress(kind, load, measured)
            inserts.append(await _insert_ms(environ, run, servers["treaty"]))
        counts = [
            await count(environ["MONGODB_URI"], database_of(run, kind), f"b{run}") for kind in ("treaty", "roles")
        ]
    return _figures(found, median(inserts), counts)


def _loads(plan: Plan) -> Mapping[str, tuple[int, int]]:
    """Returns the items and the callers of each load."""
    return {"many": (plan.items, plan.callers), "hot": (1, plan.hot_callers), "one": (1, 1)}


def _kinds(servers: Mapping[str, Server], load: str) -> Sequence[str]:
    """Returns the servers that a load is sent to."""
    left_out = {"many": (), "hot": ("echo", "roles"), "one": ("textbook", "roles")}[load]
    return [kind for kind in servers if kind not in left_out]


async def _measure(
    server: Server,
    measured: _Measured,
    environ: Mapping[str, str],
    prefix: str,
    items: int,
    callers: int,
    seconds: float,
) -> None:
    options = {"target": server.target, "prefix": prefix, "items": items, "callers": min(callers, 64)}
    options["seconds"] = seconds
    await run_load("scripts.lib.bench.load", "register", options)
    await drained(server)
    pids = {**server.pids, **{type(one).__name__.lower(): pid for one in servers_of(environ) if (pid := one.pid())}}
    before = used(pids)
    figures = await run_load("scripts.lib.bench.load", "load", {**options, "callers": callers})
    backlog, begun = await left(server), time.perf_counter()
    await drained(server)
    drain = time.perf_counter() - begun if backlog else 0.0
    await asyncio.sleep(_REST_SECONDS)
    cpu = {**(used(pids) - before), "client": figures["cpu_s"]}
    acknowledged = figures["acknowledged"]
    measured.per_s.append(figures["per_s"])
    measured.p50_ms.append(figures["p50_ms"])
    measured.sustained_per_s.append(acknowledged / (figures["seconds"] + drain))
    measured.backlog.append(backlog)
    measured.drain_s.append(drain)
    measured.cpu.append({name: 1000 * value / acknowledged for name, value in cpu.items()})
    measured.acknowledged += acknowledged


def _figures(
    found: Mapping[tuple[str, str], _Measured], insert_ms: float, counts: Sequence[Mapping[str, int]]
) -> dict[str, Any]:
    treaty, roles, echo = found["treaty", "many"], found["roles", "many"], found["echo", "many"]
    rate, floor = median(echo.per_s), insert_ms + median(found["echo", "one"].p50_ms)
    textbook = median(found["textbook", "many"].per_s)
    hot, hot_textbook = median(found["treaty", "hot"].per_s), median(found["textbook", "hot"].per_s)
    figures: dict[str, Any] = {
        "treaty_per_s": median(treaty.per_s),
        "sustained_per_s": median(treaty.sustained_per_s),
        "roles_per_s": median(roles.per_s),
        "roles_sustained_per_s": median(roles.sustained_per_s),
        "echo_per_s": rate,
        "textbook_per_s": textbook,
        "ratio_to_echo": median(treaty.sustained_per_s) / rate,
        "ratio_to_textbook": median(treaty.sustained_per_s) / textbook,
        "roles_ratio_to_echo": median(roles.sustained_per_s) / rate,
        "roles_ratio_to_textbook": median(roles.sustained_per_s) / textbook,
        "hot_per_s": hot,
        "hot_textbook_per_s": hot_textbook,
        "hot_ratio": hot / hot_textbook,
        "hot_backlog": median(found["treaty", "hot"].backlog),
        "hot_drain_s": median(found["treaty", "hot"].drain_s),
        "one_caller_ms": median(found["treaty", "one"].p50_ms),
        "one_insert_ms": insert_ms,
        "one_caller_ratio": median(found["treaty", "one"].p50_ms) / floor,
        "backlog": median(treaty.backlog),
        "drain_s": median(treaty.drain_s),
        "cpu_s_per_1000": sum(treaty.cpu_by_process().values()),
        "cpu": {f"{kind} {load}": measured.cpu_by_process() for (kind, load), measured in found.items()},
        "commands": sum(found[key].acknowledged for key in found if key[0] in ("treaty", "roles")),
        "commits_found": sum(each["commands"] for each in counts),
        "events_found": sum(each["events"] for each in counts),
        "batches": sum(each["commits"] for each in counts),
    }
    if ("before", "many") in found:
        before = found["before", "many"]
        figures |= {
            "before_sustained_per_s": median(before.sustained_per_s),
            "before_ratio": median(treaty.sustained_per_s) / median(before.sustained_per_s),
            "before_cpu_ratio": figures["cpu_s_per_1000"] / sum(before.cpu_by_process().values()),
            "before_one_caller_ratio": figures["one_caller_ms"] / median(found["before", "one"].p50_ms),
        }
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}


def valid(figures: Mapping[str, Any]) -> bool:
    """Returns whether the store has every acknowledged command, each with its event."""
    commands, commits, events = figures["commands"], figures["commits_found"], figures["events_found"]
    return bool(commands and commits >= commands and events >= commands and commits == events)


async def load(target: str, prefix: str, items: int, callers: int, seconds: float) -> dict[str, Any]:
    """Registers items and loads a server with ReceiveStock; returns the figures of the load."""
    options = {"target": target, "prefix": prefix, "items": items, "callers": callers, "seconds": seconds}
    await run_load("scripts.lib.bench.load", "register", options)
    return await run_load("scripts.lib.bench.load", "load", options)


async def run_load(module: str, what: str, options: Mapping[str, object], *, within: float = 600.0) -> dict[str, Any]:
    """Runs a load generator in a process of its own; returns the figures in its last line.

    Raises:
        LoadFailed: if it ended with an error.
        TimeoutError: if it did not end within so many seconds.
    """
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    loading = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, what, *arguments), stdout=asyncio.subprocess.PIPE
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


async def _insert_ms(environ: Mapping[str, str], run: str, server: Server) -> float:
    """Returns the milliseconds of one durable insert of the bytes of a commit, with nothing else to do."""
    options = {
        "mongodb_uri": environ["MONGODB_URI"],
        "amqp_url": environ["AMQP_URL"],
        "databases": database_of(run, "treaty"),
        "most": 500,
    }
    await drained(server)
    figures = await run_load("scripts.lib.bench.by_hand", "one", options)
    return float(figures["p50_ms"])


def _progress(kind: str, load: str, measured: _Measured) -> None:
    where = {"many": "many items", "hot": "one item", "one": "one caller"}[load]
    print(
        f"{kind:9} {where:10} {measured.per_s[-1]:8.0f}/s  p50 {measured.p50_ms[-1]:6.1f} ms  "
        f"backlog {measured.backlog[-1]:6.0f}, {measured.drain_s[-1]:5.1f} s  "
        f"CPU {sum(measured.cpu[-1].values()):5.2f} s/1,000",
        file=sys.stderr,
    )
