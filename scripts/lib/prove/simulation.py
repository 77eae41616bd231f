"""The simulation phase: many seeds, on all cores. Every worker has a fixed hash seed, so a run can be repeated."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.lib.prove.checker import KINDS, Verdict

_CHUNK = 250

Chunk = tuple[int, int, int]
"""The first seed, the number of seeds, and the step between them."""


@dataclass(slots=True)
class Simulated:
    """The outcome of all seeds.

    Attributes:
        seeds: how many ran.
        failures: the seeds that broke a promise, each with its faults.
        totals: commands, events, steps and virtual seconds of all seeds.
        faults: how often each kind of fault was injected.
    """

    seeds: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    totals: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def add_to(self, verdict: Verdict) -> None:
        for failure in self.failures:
            for name in KINDS:
                getattr(verdict, name).extend(f"seed {failure['seed']}: {fault}" for fault in failure[name])


async def simulate_seeds(
    first: int, count: int, environ: Mapping[str, str], *, step: int = 1, stop_early: bool = False
) -> Simulated:
    """Runs so many seeds, from the first one on in steps; with `stop_early`, only until one has failed."""
    found = Simulated()
    chunks = [(first + start * step, min(_CHUNK, count - start), step) for start in range(0, count, _CHUNK)]
    workers = [asyncio.create_task(_work(chunks, environ, found, stop_early)) for _ in range(os.cpu_count() or 1)]
    await asyncio.gather(*workers)
    return found


async def _work(chunks: "list[Chunk]", environ: Mapping[str, str], found: Simulated, stop_early: bool) -> None:
    while chunks and not (stop_early and found.failures):
        await _run_chunk(chunks.pop(0), environ, found, stop_early)


async def _run_chunk(chunk: Chunk, environ: Mapping[str, str], found: Simulated, stop_early: bool) -> None:
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-m", "scripts.lib.prove.seeds", *map(str, chunk)),
        env={**environ, "PYTHONHASHSEED": "0"},
        stdout=asyncio.subprocess.PIPE,
        limit=2**22,
    )
    assert running.stdout is not None
    try:
        async for text in running.stdout:
            line = json.loads(text)
            if "totals" in line:
                found.totals.update(line["totals"])
                found.faults.update(line["faults"])
                found.seeds = found.totals["seeds"]
            else:
                found.failures.append(line)
                if stop_early:
                    return
        if await running.wait():
            raise RuntimeError(f"the seeds from {chunk[0]} on ended with code {running.returncode}")
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
