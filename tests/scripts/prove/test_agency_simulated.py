"""The agency under simulated faults: an exclusive right has one owner, and every use is counted once."""

import pytest

from scripts.lib.prove.agency.simulated import AGENCY_EVERY, is_of_the_agency, run_agency_seed
from services.media.compliance.domain.case import Case
from services.media.licensing.domain.terms import Scope

pytestmark = pytest.mark.slow


def test_without_faults_all_ends_well() -> None:
    run = run_agency_seed(1, faulty=False)
    assert (run.verdict.faults, run.faults, run.settled) == ([], [], True)
    assert run.verdict.commands >= 8


@pytest.mark.parametrize("seed", range(AGENCY_EVERY // 2, 20 * AGENCY_EVERY, AGENCY_EVERY))
def test_under_faults_every_use_is_counted_once(seed: int) -> None:
    run = run_agency_seed(seed)
    assert is_of_the_agency(seed)
    assert run.verdict.faults == []
    assert (run.settled, bool(run.faults), run.verdict.commands >= 8) == (True, True, True)


def test_the_same_seed_is_the_same_run() -> None:
    assert run_agency_seed(5).digest == run_agency_seed(5).digest != run_agency_seed(6).digest


def test_a_correction_that_is_lost_on_its_way_to_the_case_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Case, "correct", lambda case, evidence, uses: None)
    runs = [run_agency_seed(seed, faulty=False) for seed in range(20)]
    assert any("without a right" in fault for run in runs for fault in run.verdict.lost)


def test_an_exclusive_right_that_is_granted_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scope, "overlaps", lambda scope, other: False)
    runs = [run_agency_seed(seed, faulty=False) for seed in range(20)]
    assert any("exclusive right" in fault for run in runs for fault in run.verdict.untrue)
