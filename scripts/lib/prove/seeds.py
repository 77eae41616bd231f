"""Runs a range of seeds in this process. Usage: seeds FIRST COUNT.

It prints a line of JSON for each seed that broke a promise, and a last line with the totals.
"""

import gc
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import structlog

from scripts.lib.prove.checker import KINDS
from scripts.lib.prove.simulated import Run, run_seed


def main() -> None:
    first, count = int(sys.argv[1]), int(sys.argv[2])
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sys.unraisablehook = lambda unraisable: None  # coroutines that a run left suspended
    for line in _run(first, count):
        print(json.dumps(line), flush=True)


def _run(first: int, count: int) -> Iterator[dict[str, Any]]:
    totals: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    gc.freeze()
    for seed in range(first, first + count):
        run = run_seed(seed)
        totals.update(
            seeds=1, commands=run.verdict.commands, events=run.verdict.events, steps=run.steps, seconds=int(run.seconds)
        )
        kinds.update(run.faults)
        if run.verdict.faults:
            yield _failure(run)
        if seed % 25 == 0:
            gc.collect()
    yield {"totals": dict(totals), "faults": dict(kinds)}


def _failure(run: Run) -> dict[str, Any]:
    verdict = run.verdict
    return {"seed": run.seed, "faults": run.faults, **{kind: getattr(verdict, kind) for kind in KINDS}}


if __name__ == "__main__":
    main()
