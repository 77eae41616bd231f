"""The benchmark of the bank measures what is really there: every acknowledged unit, and every transfer to its end."""

import asyncio
import json

import pytest

from scripts.lib.bench.bank import faults
from scripts.lib.paths import ROOT

FIGURES = {
    "hot_ratio_to_echo",
    "transfers_ratio_to_echo",
    "cpu_of_transfer_in_echoes",
    "hot_per_s",
    "transfers_per_s",
    "echo_per_s",
    *(f"cpu_ms_per_transfer_{name}" for name in ("accounts", "fraud", "transfers", "mongodb")),
}
SOUND = {"units": 7, "units_found": 7, "transfers": 3, "completed": 3}


@pytest.mark.infra
@pytest.mark.slow
async def test_a_short_run_finds_every_unit_and_completes_every_transfer() -> None:
    running = await asyncio.create_subprocess_exec(
        *(ROOT / "scripts" / "bench", "bank", "--json", "--seconds", "1", "--rounds", "1"),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(300):
        output, _ = await running.communicate()
    assert running.returncode == 0
    found = json.loads(output.splitlines()[-1])
    assert all(found[name] > 0 for name in FIGURES)
    assert found["units"] == found["units_found"] > 0
    assert found["completed"] == found["transfers"] == 300
    assert found["hot_backlog_most"] >= found["hot_backlog"] >= 0
    assert found["hot_drain_s"] > 0


@pytest.mark.parametrize(
    ("change", "said"), [({"units_found": 6}, "7 units were acknowledged"), ({"completed": 2}, "2 of 3 transfers")]
)
def test_money_or_a_transfer_that_is_missing_makes_the_figures_void(change: dict[str, int], said: str) -> None:
    assert faults(SOUND) == []
    assert said in faults({**SOUND, **change})[0]
