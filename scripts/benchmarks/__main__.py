"""`scripts/bench`: see --help."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts import devservers
from scripts.benchmarks import commands, footprint

LOGS = Path(__file__).parents[2] / ".dev" / "bench"


def main() -> int:
    arguments = _arguments()
    with devservers.borrow() as uris:
        figures = asyncio.run(_measure(arguments, {**os.environ, **uris}))
    print(json.dumps(figures) if arguments.json else json.dumps(figures, indent=2))
    if arguments.what == "commands" and not commands.valid(figures):
        print("void: the store does not hold what was acknowledged", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures ratios, all in one run.")
    parser.add_argument("what", choices=("commands", "footprint"))
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--seconds", type=float, default=5.0, help="of load per server and round (default 5)")
    parser.add_argument("--rounds", type=int, default=3, help="the figures are medians over them (default 3)")
    parser.add_argument("--callers", type=int, default=128, help="on many items (default 128)")
    return parser.parse_args()


async def _measure(arguments: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, Any]:
    if arguments.what == "footprint":
        return await footprint.measure(environ, LOGS)
    plan = commands.Plan(callers=arguments.callers, seconds=arguments.seconds, rounds=arguments.rounds)
    return await commands.measure(plan, environ, LOGS)


if __name__ == "__main__":
    sys.exit(main())
