"""Runs the lanes of a proof beside each other. Each lane is a process that has servers of its own."""

import asyncio
import contextlib
import os
import pickle
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.lib.dev.server import Failed
from scripts.lib.processes import TIED
from scripts.lib.prove.lane import Work
from scripts.lib.prove.report import Proof

_BESIDE_EACH_OTHER = (("simulation",), ("crashes", "nemesis"), ("bank", "versions"))
_ALONE = ("recovery",)
"""Recovery measures times."""


def lanes_of(phases: Sequence[str], *, one_by_one: bool) -> Iterator[Sequence[Sequence[str]]]:
    """Yields the lanes that run beside each other, and then those that follow them.

    With `one_by_one`, each phase is a lane that runs alone.
    """
    if one_by_one:
        yield from ([[phase]] for phase in phases)
        return
    lanes = [[phase for phase in lane if phase in phases] for lane in _BESIDE_EACH_OTHER]
    for group in (lanes, [[phase for phase in _ALONE if phase in phases]]):
        if found := [lane for lane in group if lane]:
            yield found


async def run_lanes(works: Sequence[Work]) -> Proof:
    """Runs lanes until all have ended; returns their outcomes together.

    Raises:
        Failed: if a lane could not be run. The other lanes are ended then.
    """
    proof = Proof()
    tasks = [asyncio.create_task(_run_lane(work)) for work in works]
    try:
        for outcome in await asyncio.gather(*tasks):
            proof.add(outcome)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return proof


async def _run_lane(work: Work) -> Proof:
    with tempfile.TemporaryDirectory() as folder:
        given, outcome = Path(folder, "work"), Path(folder, "outcome")
        given.write_bytes(pickle.dumps(work))
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", str(TIED), str(os.getpid())),
            *(sys.executable, "-m", "scripts.lib.prove.lane", str(given), str(outcome)),
            start_new_session=True,
        )
        try:
            if await running.wait():
                raise Failed(f"{', '.join(work.phases)}: could not be run, the process ended with {running.returncode}")
        finally:
            await _end(running)
        found: Proof = pickle.loads(outcome.read_bytes())  # noqa: S301 - it is our own file
        return found


async def _end(running: asyncio.subprocess.Process) -> None:
    """Ends a lane, and waits until it has ended its servers, also if this is cancelled meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        running.terminate()
    waiting = asyncio.ensure_future(running.wait())
    while not waiting.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(waiting)
