"""`scripts/prove`: see --help."""

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from scripts.lib.command_line import parser_of
from scripts.lib.dev import FOLDER
from scripts.lib.dev.server import Failed, Unavailable
from scripts.lib.prove.bank.run import Plan, run_bank
from scripts.lib.prove.changes import Missed
from scripts.lib.prove.crashes import crash_everywhere
from scripts.lib.prove.nemesis import befall
from scripts.lib.prove.plants import PLANTS, plant
from scripts.lib.prove.recovery import recover
from scripts.lib.prove.report import Proof, ends_of, write
from scripts.lib.prove.servers import Servers, servers
from scripts.lib.prove.simulation import simulate_seeds
from scripts.lib.prove.versions import BEFORE, run_versions
from scripts.lib.signals import interrupt_on_kill

T = TypeVar("T")

PHASES = ("simulation", "crashes", "nemesis", "bank", "versions", "recovery")


@dataclass(frozen=True, slots=True)
class Extent:
    """The extent of a proof.

    Attributes:
        seeds: how many seeds are simulated.
        hits: at which visits of a crash point a process ends there.
        faults: how many faults the nemesis injects.
        events: how many events the nemesis run needs at least.
        clients: how many clients of the nemesis run work at a time.
        rounds: how many times this version is deployed over the version before and rolled back.
        bank: the extent of the bank test.
    """

    seeds: int
    hits: tuple[int, ...]
    faults: int
    events: int
    clients: int
    rounds: int
    bank: Plan


QUICK = Extent(seeds=4_000, hits=(2,), faults=24, events=22_000, clients=16, rounds=1, bank=Plan())
FULL = Extent(
    seeds=50_000,
    hits=(1, 2, 3),
    faults=512,
    events=1_000_000,
    clients=100,
    rounds=20,
    bank=Plan(transfers=100_000, people=1_000, rounds=40),
)


def main() -> int:
    choice = _arguments()
    interrupt_on_kill()
    for noisy in ("asyncio", "aiormq", "aio_pika", "pymongo"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    try:
        return asyncio.run(_prove(choice))
    except (Failed, Unavailable, Missed) as failure:
        print(f"prove: {failure}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _arguments() -> argparse.Namespace:
    parser = parser_of("prove")
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_true")
    extent.add_argument("--full", action="store_true")
    parser.add_argument("--only", choices=PHASES, action="append")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--faults", type=int)
    parser.add_argument("--events", type=int)
    parser.add_argument("--transfers", type=int)
    parser.add_argument("--plant", choices=sorted(PLANTS))
    parser.add_argument("--report", type=Path)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


async def _prove(choice: argparse.Namespace) -> int:
    extent = FULL if choice.full else QUICK
    extent = replace(
        extent,
        seeds=choice.seeds or extent.seeds,
        faults=choice.faults or extent.faults,
        events=choice.events or extent.events,
        bank=replace(extent.bank, transfers=choice.transfers or extent.bank.transfers),
    )
    phases = tuple(choice.only or (PLANTS[choice.plant].phases if choice.plant else ()) or PHASES)
    proof = Proof(plant=choice.plant or "")
    with tempfile.TemporaryDirectory() as folder:
        environ: Mapping[str, str] = plant(choice.plant, Path(folder)) if choice.plant else os.environ
        await _run(phases, extent, environ, choice.first_seed, proof)
    report = choice.report or FOLDER / "proof-report"
    write(proof, report)
    return _conclude(proof, report, as_json=choice.json)


async def _run(phases: tuple[str, ...], extent: Extent, environ: Mapping[str, str], first: int, proof: Proof) -> None:
    """Runs the phases. With a planted bug, it stops after the first phase that finds a fault."""
    if "simulation" in phases:
        _say(f"simulation: {extent.seeds:,} seeds from {first} on")
        work = simulate_seeds(first, extent.seeds, environ, stop_early=bool(proof.plant))
        proof.simulated = await _timed(proof, "simulation", work)
        for failure in proof.simulated.failures[:5]:
            _say(
                f"  seed {failure['seed']} broke a promise: scripts/prove --only simulation --first-seed "
                f"{failure['seed']} --seeds 1"
            )
    real = [phase for phase in phases if phase != "simulation"]
    if not real or (proof.plant and proof.verdict().faults):
        return
    os.environ.update(environ)
    async with servers(FOLDER / "proof") as running:
        for phase in real:
            await _run_real(phase, running, extent, proof)
            if proof.plant and proof.verdict().faults:
                return


async def _run_real(phase: str, running: Servers, extent: Extent, proof: Proof) -> None:
    logs = FOLDER / "proof-logs" / phase
    match phase:
        case "crashes":
            _say("crashes: a process ends at each crash point, on a replica set and a broker")
            proof.crashed = await _timed(proof, phase, crash_everywhere(running, logs, extent.hits))
        case "nemesis":
            _say(f"nemesis: {extent.faults} faults, at least {extent.events:,} events")
            work = befall(running, logs, faults=extent.faults, events=extent.events, clients=extent.clients)
            proof.befallen = await _timed(proof, phase, work)
        case "bank":
            plan = extent.bank
            _say(f"bank: at least {plan.transfers:,} transfers between {plan.people:,} accounts, under faults")
            proof.banked = await _timed(proof, phase, run_bank(running, logs, plan))
            _say(f"  {proof.banked.transfers:,} transfers: {ends_of(proof.banked)}")
        case "versions":
            _say(f"versions: {BEFORE} and this version, deployed and rolled back {extent.rounds} times")
            proof.versions = await _timed(proof, phase, run_versions(running, logs, rounds=extent.rounds))
            if proof.versions.skipped:
                _say(f"  skipped: {proof.versions.skipped}")
        case "recovery":
            _say("recovery: the time until the services work again after each loss")
            proof.recovered = await _timed(proof, phase, recover(running, logs))


async def _timed(proof: Proof, phase: str, work: Awaitable[T]) -> T:
    begun = time.monotonic()
    try:
        return await work
    finally:
        proof.seconds[phase] = time.monotonic() - begun
        _say(f"  {phase} took {proof.seconds[phase]:.0f} s")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _conclude(proof: Proof, report: Path, *, as_json: bool) -> int:
    found, figures = proof.verdict(), proof.figures()
    for fault in found.faults[:20]:
        _say(f"BROKEN  {fault}")
    summary = "nothing lost, nothing twice, nothing out of order" if not found.faults else "promises were broken"
    _say(f"{summary}; the report is {os.path.relpath(report)}/proof.md")
    if as_json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:20} {value}")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
