"""Runs some phases of a proof one after another in this process, on servers of their own.

Usage: lane WORK OUTCOME. It reads the pickled work from one file, and writes the pickled `Proof` to the other.
"""

import asyncio
import logging
import os
import pickle
import sys
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from scripts.lib.dev import FOLDER
from scripts.lib.dev.server import Failed, Unavailable
from scripts.lib.prove.bank.run import run_bank
from scripts.lib.prove.checker import Verdict
from scripts.lib.prove.crashes import crash_everywhere
from scripts.lib.prove.extent import Extent
from scripts.lib.prove.nemesis import befall
from scripts.lib.prove.recovery import recover
from scripts.lib.prove.report import Proof, ends_of
from scripts.lib.prove.servers import Servers, servers
from scripts.lib.prove.simulation import simulate_seeds
from scripts.lib.prove.versions import BEFORE, run_versions
from scripts.lib.signals import interrupt_on_kill

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """The phases of a lane.

    Attributes:
        environ: the environment of the processes that are put to the proof. The checker does not run in it.
        planted: whether a bug is planted; then the simulation ends at the first seed that fails.
    """

    phases: tuple[str, ...]
    extent: Extent
    first_seed: int
    environ: Mapping[str, str]
    planted: bool


def main() -> int:
    work, outcome = (Path(argument) for argument in sys.argv[1:])
    interrupt_on_kill()
    for noisy in ("asyncio", "aiormq", "aio_pika", "pymongo"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    try:
        proof = asyncio.run(_run(pickle.loads(work.read_bytes())))  # noqa: S301 - it is our own file
    except (Failed, Unavailable) as failure:
        print(f"prove: {failure}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    outcome.write_bytes(pickle.dumps(proof))
    return 0


async def _run(work: Work) -> Proof:
    proof = Proof()
    if "simulation" in work.phases:
        _say(f"simulation: {work.extent.seeds:,} seeds from {work.first_seed} on")
        seeds = simulate_seeds(work.first_seed, work.extent.seeds, work.environ, stop_early=work.planted)
        proof.simulated = await _timed(proof, "simulation", seeds)
        for failure in proof.simulated.failures[:5]:
            _say(
                f"  seed {failure['seed']} broke a promise: scripts/prove --only simulation --first-seed "
                f"{failure['seed']} --seeds 1"
            )
    real = [phase for phase in work.phases if phase != "simulation"]
    if real:
        os.environ.update(work.environ)
        async with servers(FOLDER / "proof" / real[0]) as running:
            for phase in real:
                await _run_real(phase, running, work.extent, proof)
                _print_verdict(phase, dict(proof.verdicts())[phase])
    return proof


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


def _print_verdict(phase: str, found: Verdict) -> None:
    """Prints the verdict of a phase at its end, since a whole proof may take hours."""
    for fault in found.faults[:5]:
        _say(f"  {phase} broke a promise: {fault}")
    _say(f"  {phase}: {found.commands:,} commands, {found.events:,} events, {len(found.faults)} broken promises")


async def _timed(proof: Proof, phase: str, work: Awaitable[T]) -> T:
    begun = time.monotonic()
    try:
        return await work
    finally:
        proof.seconds[phase] = time.monotonic() - begun
        _say(f"  {phase} took {proof.seconds[phase]:.0f} s")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
