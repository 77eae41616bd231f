"""The bank under simulated faults: every transfer ends one way, and no money is made, lost or held."""

import pytest

from scripts.lib.prove.bank.simulated import BANK_EVERY, is_of_the_bank, run_bank_seed

pytestmark = pytest.mark.slow


def test_without_faults_all_ends_well() -> None:
    run = run_bank_seed(1, faulty=False)
    assert (run.verdict.faults, run.faults, run.settled) == ([], [], True)
    assert run.verdict.commands >= 8


@pytest.mark.parametrize("seed", range(BANK_EVERY - 1, 20 * BANK_EVERY, BANK_EVERY))
def test_under_faults_every_transfer_ends_and_the_books_balance(seed: int) -> None:
    run = run_bank_seed(seed)
    assert is_of_the_bank(seed)
    assert run.verdict.faults == []
    assert (run.settled, bool(run.faults), run.verdict.commands >= 8) == (True, True, True)


def test_the_same_seed_is_the_same_run() -> None:
    assert run_bank_seed(5).digest == run_bank_seed(5).digest != run_bank_seed(6).digest
