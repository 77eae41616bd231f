"""`scripts/bench`: see --help."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.lib import dev
from scripts.lib.bench import bank, commands, footprint, hostile, idle, overload, scale, shop, soak, uses
from scripts.lib.command_line import parser_of
from scripts.lib.paths import ROOT
from scripts.lib.virtual_hosts import virtual_host

LOGS = ROOT / ".dev" / "bench"

WHAT = ("bank", "commands", "footprint", "hostile", "idle", "overload", "scale", "shop", "soak", "uses")


def main() -> int:
    arguments = _arguments()
    with dev.borrow() as uris, virtual_host(uris) as own:
        figures = asyncio.run(_measure(arguments, {**os.environ, **own}))
    print(json.dumps(figures) if arguments.json else json.dumps(figures, indent=2))
    faults = _faults(arguments.what, figures)
    print(*faults, sep="\n", file=sys.stderr, end="\n" if faults else "")
    return 1 if faults else 0


def _faults(what: str, figures: dict[str, Any]) -> list[str]:
    if what == "commands" and not commands.valid(figures):
        return ["the figures are not valid: acknowledged commands are missing in the store"]
    if what == "bank":
        return list(bank.faults(figures))
    if what == "uses":
        return list(uses.faults(figures))
    if what == "soak":
        return soak.faults(figures)
    if what == "overload":
        return [f"{name} is {figures[name]}, but the aim is {overload.AIMS[name]}" for name in overload.missed(figures)]
    return []


def _arguments() -> argparse.Namespace:
    parser = parser_of("bench")
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--callers", type=int, default=128)
    parser.add_argument("--commits", type=int, default=1_000_000)
    parser.add_argument("--before", type=Path)
    return parser.parse_args()


async def _measure(arguments: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, Any]:
    if arguments.what == "footprint":
        return await footprint.measure(environ, LOGS)
    if arguments.what == "bank":
        money = bank.Plan(seconds=arguments.seconds or 5.0, rounds=arguments.rounds)
        return await bank.measure(money, environ, LOGS)
    if arguments.what == "uses":
        reported = uses.Plan(seconds=arguments.seconds or 5.0, rounds=arguments.rounds)
        return await uses.measure(reported, environ, LOGS)
    if arguments.what == "idle":
        quiet = idle.Plan(seconds=arguments.seconds or 20.0, rounds=arguments.rounds, before=arguments.before)
        return await idle.measure(quiet, environ, LOGS)
    if arguments.what == "scale":
        keys = min(arguments.commits // 10, 100_000)
        grown = scale.Plan(commits=arguments.commits, keys=keys, seconds=arguments.seconds or 5.0)
        return await scale.measure(grown, environ, LOGS)
    if arguments.what == "shop":
        ordered = shop.Plan(rounds=arguments.rounds, before=arguments.before)
        return await shop.measure(ordered, environ, LOGS)
    if arguments.what == "hostile":
        attacked = hostile.Plan(seconds=arguments.seconds or 5.0, rounds=arguments.rounds, before=arguments.before)
        return await hostile.measure(attacked, environ, LOGS)
    if arguments.what == "soak":
        return await soak.measure(soak.Plan(minutes=arguments.minutes), environ, LOGS)
    if arguments.what == "overload":
        return await overload.measure(overload.Plan(seconds=arguments.seconds or 20.0), environ, LOGS)
    plan = commands.Plan(
        callers=arguments.callers,
        seconds=arguments.seconds or 5.0,
        rounds=arguments.rounds,
        before=arguments.before,
    )
    return await commands.measure(plan, environ, LOGS)


if __name__ == "__main__":
    sys.exit(main())
