"""`scripts/prove`: see --help."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from scripts.lib.command_line import parser_of
from scripts.lib.dev import FOLDER
from scripts.lib.dev.server import Failed
from scripts.lib.prove.changes import Missed
from scripts.lib.prove.extent import FULL, PHASES, QUICK
from scripts.lib.prove.lane import Work
from scripts.lib.prove.lanes import lanes_of, run_lanes
from scripts.lib.prove.plants import PLANTS, plant
from scripts.lib.prove.report import Proof, write
from scripts.lib.signals import interrupt_on_kill


def main() -> int:
    choice = _arguments()
    interrupt_on_kill()
    try:
        return asyncio.run(_prove(choice))
    except (Failed, Missed) as failure:
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
    phases = choice.only or (PLANTS[choice.plant].phases if choice.plant else ()) or PHASES
    proof, planted = Proof(plant=choice.plant or ""), bool(choice.plant)
    with tempfile.TemporaryDirectory() as folder:
        environ = plant(choice.plant, Path(folder)) if planted else dict(os.environ)
        for lanes in lanes_of(phases, one_by_one=planted):
            works = [Work(tuple(lane), extent, choice.first_seed, environ, planted) for lane in lanes]
            proof.add(await run_lanes(works))
            if planted and proof.verdict().faults:
                break
    report = choice.report or FOLDER / "proof-report"
    write(proof, report)
    return _conclude(proof, report, as_json=choice.json)


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
