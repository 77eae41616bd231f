"""`scripts/bench`: see --help."""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from scripts import devservers
from scripts.benchmarks.commands import Plan, measure, valid

LOGS = Path(__file__).parents[2] / ".dev" / "bench"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures ratios, all in one run.")
    parser.add_argument("what", choices=("commands",))
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--seconds", type=float, default=5.0, help="of load per server and round (default 5)")
    parser.add_argument("--rounds", type=int, default=3, help="the figures are medians over them (default 3)")
    parser.add_argument("--callers", type=int, default=128, help="on many items (default 128)")
    arguments = parser.parse_args()
    plan = Plan(callers=arguments.callers, seconds=arguments.seconds, rounds=arguments.rounds)
    with devservers.borrow() as uris:
        figures = asyncio.run(measure(plan, {**os.environ, **uris}, LOGS))
    print(json.dumps(figures) if arguments.json else json.dumps(figures, indent=2))
    if not valid(figures):
        print("void: the store does not hold what was acknowledged", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
