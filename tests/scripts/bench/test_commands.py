"""The benchmark measures what is really there: it runs, and a store that lacks something makes its figures void."""

import asyncio
import json

import pytest
from treaty.service.contexts import find_contexts

from scripts.lib.bench import overload
from scripts.lib.bench.commands import valid
from scripts.lib.paths import ROOT

FIGURES = {
    "treaty_per_s",
    "echo_per_s",
    "textbook_per_s",
    "ratio_to_echo",
    "ratio_to_textbook",
    "sustained_per_s",
    "roles_sustained_per_s",
    "roles_ratio_to_echo",
    "one_caller_ratio",
    "one_insert_ms",
    "cpu_s_per_1000",
    "hot_per_s",
    "hot_textbook_per_s",
    "hot_ratio",
    "commands",
    "commits_found",
    "events_found",
}


@pytest.mark.infra
@pytest.mark.slow
async def test_a_short_run_finds_everything_that_was_acknowledged() -> None:
    running = await asyncio.create_subprocess_exec(
        ROOT / "scripts" / "bench",
        *("commands", "--json", "--seconds", "1", "--rounds", "1", "--callers", "32"),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(1500):
        output, _ = await running.communicate()
    assert running.returncode == 0
    found = json.loads(output.splitlines()[-1])
    assert set(found) >= FIGURES
    assert found["commands"] > 0
    assert found["commits_found"] == found["events_found"] >= found["commands"]
    assert all(found[name] > 0 for name in FIGURES)
    assert found["sustained_per_s"] <= found["treaty_per_s"] * 1.5
    assert found["backlog"] >= 0
    assert found["cpu"]["roles many"].keys() == {"followers", "server", "mongodb", "rabbitmq", "client"}


@pytest.mark.parametrize(
    ("commits", "events"),
    [(99, 100), (100, 99), (99, 99), (101, 100)],
)
def test_a_store_that_lacks_something_makes_the_figures_void(commits: int, events: int) -> None:
    assert not valid({"commands": 100, "commits_found": commits, "events_found": events})
    assert valid({"commands": 100, "commits_found": 100, "events_found": 100})


@pytest.mark.infra
@pytest.mark.slow
async def test_the_footprint_tells_of_every_service() -> None:
    running = await asyncio.create_subprocess_exec(
        ROOT / "scripts" / "bench", "footprint", "--json", stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(300):
        output, _ = await running.communicate()
    assert running.returncode == 0
    services = json.loads(output.splitlines()[-1])["services"]
    assert set(services) == set(find_contexts())
    assert all(one["rss_mb"] > 0 and one["ready_s"] > 0 for one in services.values())


FINE = {"goodput_ratio": 0.9, "recovered_ratio": 1.0, "recovery_s": 1.0, "refused_p99_ms": 50.0, "rss_ratio": 1.1}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("goodput_ratio", 0.7),
        ("recovered_ratio", 0.9),
        ("recovery_s", None),
        ("refused_p99_ms", 3000),
        ("rss_ratio", 2),
    ],
)
def test_an_aim_of_overload_that_is_missed_is_named(name: str, value: float | None) -> None:
    assert overload.missed(FINE) == []
    assert overload.missed({**FINE, name: value}) == [name]


def test_recovery_is_when_a_light_load_is_answered_in_full() -> None:
    assert overload.recovery([10, 50, 96, 100], 100.0) == 2.0
    assert overload.recovery([10, 50], 100.0) is None


@pytest.mark.infra
@pytest.mark.slow
async def test_overload_refuses_some_and_answers_others() -> None:
    running = await asyncio.create_subprocess_exec(
        *(ROOT / "scripts" / "bench", "overload", "--json", "--seconds", "4"), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(200):
        output, _ = await running.communicate()
    found = json.loads(output.splitlines()[-1])
    assert set(found) >= set(overload.AIMS)
    assert found["offered_ratio"] > 1.5
    assert found["goodput_ratio"] > 0.3
    assert found["recovery_s"] is not None


@pytest.mark.infra
@pytest.mark.slow
async def test_a_short_run_of_hostile_clients_refuses_no_genuine_one() -> None:
    running = await asyncio.create_subprocess_exec(
        ROOT / "scripts" / "bench",
        *("hostile", "--json", "--seconds", "1", "--rounds", "1"),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(200):
        output, _ = await running.communicate()
    assert running.returncode == 0
    figures = json.loads(output.splitlines()[-1])["now"]
    assert len(figures) == 4
    for one in figures.values():
        assert one["answered_share"] > 0.9
        assert one["webhooks_answered_share"] > 0.9
        assert one["health_answered"] == 1.0
