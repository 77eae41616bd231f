"""The benchmark of scale measures logs, items, processes, a rebuild and a replay."""

import asyncio
import json

import pytest

from scripts.lib.bench.scale import Plan
from scripts.lib.paths import ROOT


def test_logs_grow_tenfold_up_to_the_largest() -> None:
    assert Plan(commits=1_000_000).logs == [1000, 10_000, 100_000, 1_000_000]
    assert Plan(commits=3000).logs == [1000, 3000]


@pytest.mark.infra
@pytest.mark.slow
async def test_a_short_run_has_all_figures() -> None:
    running = await asyncio.create_subprocess_exec(
        *(ROOT / "scripts" / "bench", "scale", "--json", "--seconds", "1", "--commits", "2000"),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(1500):
        output, _ = await running.communicate()
    assert running.returncode == 0
    found = json.loads(output.splitlines()[-1])
    assert found["ratio_by_log"].keys() == found["per_s_by_log"].keys() == {"1000", "2000"}
    assert found["per_s_by_processes"].keys() == {"1", "2", "3"}
    assert found["replayed_per_s"] > 0
    assert found["rebuilt_per_s"] > 0
