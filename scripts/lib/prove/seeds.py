"""Runs a range of seeds in this process. Usage: seeds FIRST COUNT STEP.

It prints a line of JSON for each seed that broke a promise, and a last line with the totals.
"""

import gc
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import structlog

from scripts.lib.prove.agency.simulated import is_of_the_agency, run_agency_seed
from scripts.lib.prove.bank.simulated import is_of_the_bank, run_bank_seed
from scripts.lib.prove.checker import KINDS
from scripts.lib.prove.simulated import Run, run_seed

_NICE = 10
"""Runs on real servers, beside which the seeds may run, go first."""


def main() -> None:
    os.nice(_NICE)
    first, count, step = map(int, sys.argv[1:])
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sys.unraisablehook = lambda unraisable: None  # coroutines that a run left suspended
    for line in _run(range(first, first + count * step, step)):
        print(json.dumps(line), flush=True)


def _run(seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    totals: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    gc.freeze()
    for number, seed in enumerate(seeds):
        run = _run_of(seed)(seed)
        totals.update(
            seeds=1, commands=run.verdict.commands, events=run.verdict.events, steps=run.steps, seconds=int(run.seconds)
        )
        kinds.update(run.faults)
        if run.verdict.faults:
            yield _failure(run)
        if number % 25 == 0:
            gc.collect()
    yield {"totals": dict(totals), "faults": dict(kinds)}


def _run_of(seed: int) -> Callable[[int], Run]:
    """Returns the ground on which a seed is run: the bank, the agency, or the one that is made for the proof."""
    if is_of_the_bank(seed):
        return run_bank_seed
    return run_agency_seed if is_of_the_agency(seed) else run_seed


def _failure(run: Run) -> dict[str, Any]:
    verdict = run.verdict
    return {"seed": run.seed, "faults": run.faults, **{kind: getattr(verdict, kind) for kind in KINDS}}


if __name__ == "__main__":
    main()
