"""Which phases of a proof run beside each other, and what is done about a lane that cannot be run."""

import asyncio
import os
from dataclasses import replace

import psutil
import pytest

from scripts.lib.dev.server import Failed
from scripts.lib.prove.extent import PHASES, QUICK
from scripts.lib.prove.lane import Work
from scripts.lib.prove.lanes import lanes_of, run_lanes


def test_every_phase_runs_once_and_the_one_that_measures_times_runs_alone() -> None:
    groups = list(lanes_of(PHASES, one_by_one=False))
    assert sorted(phase for group in groups for lane in group for phase in lane) == sorted(PHASES)
    assert groups[-1] == [["recovery"]]


def test_only_the_wanted_phases_run() -> None:
    assert list(lanes_of(("recovery", "versions", "simulation"), one_by_one=False)) == [
        [["simulation"], ["versions"]],
        [["recovery"]],
    ]


def test_with_a_planted_bug_the_phases_run_one_after_another() -> None:
    assert list(lanes_of(("simulation", "crashes"), one_by_one=True)) == [[["simulation"]], [["crashes"]]]


async def test_a_lane_tells_what_it_found() -> None:
    proof = await run_lanes([_work(seeds=2)])
    assert proof.simulated is not None
    assert proof.simulated.seeds == 2
    assert proof.seconds.keys() == {"simulation"}


async def test_a_lane_that_cannot_be_run_ends_the_others_and_is_named() -> None:
    broken = Work(("simulation",), QUICK, 0, {"PYTHONHOME": "nowhere"}, planted=False)
    endless = _work(seeds=10**6)
    with pytest.raises(Failed, match="simulation: could not be run"):
        await run_lanes([broken, endless])


async def test_a_proof_that_is_ended_waits_for_its_lanes_however_often_it_is_told() -> None:
    before = set(psutil.Process().children())
    running = asyncio.create_task(run_lanes([_work(seeds=10**6)]))
    while not (lanes := set(psutil.Process().children()) - before):
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    for _ in range(3):
        running.cancel()
        await asyncio.sleep(0.05)
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not any(lane.is_running() for lane in lanes)


def _work(*, seeds: int) -> Work:
    return Work(("simulation",), replace(QUICK, seeds=seeds), 0, dict(os.environ), planted=False)
