"""The benchmark of uses finds every use that was reported, at the license and at its day."""

import os

import pytest

from scripts.lib import dev
from scripts.lib.bench.uses import Plan, faults, measure
from scripts.lib.virtual_hosts import virtual_host

SOUND = {"reported": 7, "counted": 7, "by_day": 7}


@pytest.mark.infra
@pytest.mark.slow
async def test_a_short_run_finds_every_use(tmp_path_factory: pytest.TempPathFactory) -> None:
    plan = Plan(reports=500, rounds=1, licenses=20, callers=16, seconds=0.5)
    with dev.borrow() as uris, virtual_host(dict(uris)) as own:
        found = await measure(plan, {**os.environ, **own}, tmp_path_factory.mktemp("uses"))
    assert faults(found) == []
    assert found["reported"] == 500
    assert min(found["reports_per_s"], found["cpu_ms_per_report_licensing"], found["echo_per_s"]) > 0


@pytest.mark.parametrize(
    ("change", "said"), [({"counted": 6}, "the licenses have 6"), ({"by_day": 8}, "the days have 8")]
)
def test_a_total_that_is_not_exact_makes_the_figures_void(change: dict[str, int], said: str) -> None:
    assert faults(SOUND) == []
    assert said in faults({**SOUND, **change})[0]
