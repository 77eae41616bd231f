"""`scripts/bench footprint`: the memory of an idle service process, and its time from start to ready."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from treaty.service.contexts import find_contexts

from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import service

IDLE_SECONDS = 5.0
"""Seconds for which a process is idle before its memory is measured. Its garbage is collected by then."""


async def measure(environ: Mapping[str, str], logs: Path) -> dict[str, Any]:
    """Returns {services: {name: {rss_mb, ready_s}}}. The processes run one after another, never together."""
    return {"services": {name: await _one(name, environ, logs) for name in find_contexts()}}


async def _one(name: str, environ: Mapping[str, str], logs: Path) -> dict[str, float]:
    grpc_port, http_port = free_ports(2)
    own = {
        **environ,
        "GRPC_HOST": "127.0.0.1",
        "GRPC_PORT": str(grpc_port),
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(http_port),
        "LOG_LEVEL": "warning",
    }
    started = time.perf_counter()
    arguments = ["-m", "treaty.cli", "run", name]
    async with service(f"footprint-{name}", arguments, own, logs, f"127.0.0.1:{grpc_port}") as pid:
        ready_s = time.perf_counter() - started
        await asyncio.sleep(IDLE_SECONDS)
        rss = psutil.Process(pid).memory_info().rss
    return {"rss_mb": round(rss / 1e6, 1), "ready_s": round(ready_s, 2)}
