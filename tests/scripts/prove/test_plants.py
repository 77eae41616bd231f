"""The proof finds bugs: each that is planted breaks a promise within a few seeds."""

from pathlib import Path

import pytest

from scripts.lib.prove import plants
from scripts.lib.prove.bank.plants import BANK_PLANTS
from scripts.lib.prove.bank.simulated import BANK_EVERY
from scripts.lib.prove.changes import TOOLKIT, Change, Missed, Plant
from scripts.lib.prove.plants import PLANTS, plant
from scripts.lib.prove.simulation import simulate_seeds

RELAY = "followers/relay.py"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, planted in PLANTS.items() if planted.simulated])
async def test_a_planted_bug_is_found(name: str, tmp_path: Path) -> None:
    if name in BANK_PLANTS:
        found = await simulate_seeds(BANK_EVERY - 1, 60, plant(name, tmp_path), step=BANK_EVERY, stop_early=True)
    else:
        found = await simulate_seeds(0, 500, plant(name, tmp_path), stop_early=True)
    assert found.failures, f"{name} was not found in {found.seeds} seeds"


def test_a_plant_that_misses_its_place_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stray = Plant("nowhere", [Change(RELAY, "this text stands nowhere", "")])
    monkeypatch.setattr(plants, "PLANTS", {"stray": stray})
    with pytest.raises(Missed, match=r"relay\.py has 0 places"):
        plant("stray", tmp_path)


@pytest.mark.parametrize("name", PLANTS)
def test_every_plant_still_finds_its_place(name: str) -> None:
    for change in PLANTS[name].changes:
        assert (PLANTS[name].code / change.file).read_text().count(change.old) == 1, change.file


def test_a_plant_changes_a_copy(tmp_path: Path) -> None:
    before = (TOOLKIT / RELAY).read_text()
    environ = plant("confirm_ignored", tmp_path)
    assert environ["PYTHONPATH"].startswith(str(tmp_path))
    assert (TOOLKIT / RELAY).read_text() == before != (tmp_path / "treaty" / RELAY).read_text()
