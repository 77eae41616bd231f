"""A soak says what grows, what is lost and what is left, and runs on the real servers."""

import asyncio
import json
from typing import Any

import pytest

from scripts.lib.bench import soak
from scripts.lib.paths import ROOT


def figures(**known: Any) -> dict[str, Any]:
    taken = {"growth": 1.02, "files_first": 40, "files_last": 42}
    return {
        "acknowledged": 100,
        "committed": 100,
        "left": {"commerce.inventory": 0},
        "processes": {"commerce.inventory": {**taken, **known.pop("taken", {})}},
        **known,
    }


def test_a_run_without_faults_has_none() -> None:
    assert soak.faults(figures()) == []


@pytest.mark.parametrize(
    ("known", "fault"),
    [
        ({"committed": 99}, "the number of acknowledged commands is not the number in the store"),
        ({"left": {"commerce.inventory": 3}}, "commerce.inventory has 3 left to do"),
        ({"taken": {"growth": 1.2}}, "commerce.inventory grows"),
        ({"taken": {"files_last": 90}}, "commerce.inventory opens more and more files"),
    ],
)
def test_a_fault_is_named(known: dict[str, Any], fault: str) -> None:
    [found] = soak.faults(figures(**known))
    assert fault in found


def test_the_slope_is_in_megabytes_per_hour() -> None:
    assert soak.slope([(0.0, 10.0), (1800.0, 11.0), (3600.0, 12.0)]) == pytest.approx(2.0)
    assert soak.slope([(5.0, 10.0)]) == 0.0


@pytest.mark.infra
@pytest.mark.slow
async def test_a_short_soak_loses_nothing() -> None:
    running = await asyncio.create_subprocess_exec(
        *(ROOT / "scripts" / "bench", "soak", "--minutes", "0.2", "--json"), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(250):
        output, _ = await running.communicate()
    found = json.loads(output.splitlines()[-1])
    assert found["acknowledged"] == found["committed"] > 0
    assert set(found["left"].values()) == {0}
