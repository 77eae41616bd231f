"""The simulation: time is virtual, chance is seeded, a killed process never runs again, and a seed repeats its run."""

import asyncio
import random

import pytest
from treaty.testing.simulation import Deadlock, Rates, simulate
from treaty.testing.simulation.faults import Fate
from treaty.testing.simulation.loop import Process, SimulatedLoop

from scripts.lib.prove.simulated import run_seed


def test_an_hour_passes_at_once() -> None:
    async def wait() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert simulate(1, wait()) == 3600


def test_what_runs_next_follows_from_the_seed() -> None:
    async def race() -> list[int]:
        order: list[int] = []

        async def run(n: int) -> None:
            await asyncio.sleep(0)
            order.append(n)

        await asyncio.gather(*(run(n) for n in range(6)))
        return order

    orders = [tuple(simulate(seed, race())) for seed in range(8)]
    assert orders == [tuple(simulate(seed, race())) for seed in range(8)]
    assert len(set(orders)) > 5


def test_a_killed_process_does_nothing_any_more_not_even_clean_up() -> None:
    async def main() -> list[str]:
        done: list[str] = []

        async def work() -> None:
            try:
                await asyncio.sleep(10)
                done.append("worked")
            finally:
                done.append("cleaned up")

        process = Process("victim")
        loop = asyncio.get_running_loop()
        task = loop.create_task(work(), context=process.context)
        await asyncio.sleep(1)
        process.alive = False
        task.cancel()
        await asyncio.sleep(100)
        return list(done)

    assert simulate(1, main()) == []


def test_a_stopped_process_goes_on_later_as_if_nothing_had_been() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        ticks: list[float] = []

        async def tick() -> None:
            while len(ticks) < 4:
                await asyncio.sleep(1)
                ticks.append(loop.time())

        process = Process("sleeper")
        task = loop.create_task(tick(), context=process.context)
        await asyncio.sleep(1.5)
        process.stopped = True
        await asyncio.sleep(10)
        loop.resume(process)
        await task
        return ticks

    assert simulate(1, main()) == [1, 11.5, 12.5, 13.5]


def test_waiting_for_nothing_is_noticed() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        simulate(1, main())


def test_every_fate_is_drawn_about_as_often_as_asked() -> None:
    rates = Rates(lost=0.2, unanswered=0.2, late=0.2)
    chance = random.Random(1)
    drawn = [rates.draw(chance) for _ in range(5000)]
    for fate in (Fate.LOST, Fate.UNANSWERED, Fate.LATE):
        assert 0.15 < drawn.count(fate) / len(drawn) < 0.25
    assert Fate.ANSWERED in drawn


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 6, 14, 17])
def test_a_seed_repeats_its_run(seed: int) -> None:
    first, again = run_seed(seed), run_seed(seed)
    assert (first.digest, first.steps, first.faults) == (again.digest, again.steps, again.faults)
    assert first.digest != run_seed(seed + 100).digest


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 60, 10))
def test_whole_contexts_keep_their_promises_under_faults(first: int) -> None:
    runs = [run_seed(seed) for seed in range(first, first + 10)]
    assert {run.seed: run.verdict.faults for run in runs if run.verdict.faults} == {}
    assert sum(len(run.faults) for run in runs) > 20
    assert sum(run.verdict.events for run in runs) > 100
