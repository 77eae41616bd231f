"""The fraud model: the same payments for the same seed, and figures that are those of the committed weights."""

import json

import pytest

from scripts.lib.fraud_model.__main__ import TEST_PAYERS, TEST_SEED
from scripts.lib.fraud_model.figures import figures
from scripts.lib.fraud_model.payments import Payment, made_up
from services.finance.fraud.clients import DEFAULT, read_weights
from services.finance.fraud.domain.rules import Features, Scored


def test_the_same_seed_makes_the_same_payments() -> None:
    assert made_up(7, 20) == made_up(7, 20)
    assert made_up(7, 20) != made_up(8, 20)


@pytest.mark.slow
def test_the_committed_figures_are_those_of_the_committed_weights() -> None:
    committed = json.loads(DEFAULT.read_text())["figures"]
    assert committed == figures(read_weights(), made_up(TEST_SEED, TEST_PAYERS))
    assert committed["area_under_the_curve"] > 0.95


class BySize:
    """A model that gives the size itself as the probability."""

    def score(self, features: Features) -> Scored:
        return Scored(probability=features.size, causes=())


def _payment(size: float, fraud: bool) -> Payment:
    features = Features(size=size, unusual=0, velocity=1, new_payee=0, odd_hour=0, near_threshold=0)
    return Payment(features=features, fraud=fraud)


@pytest.mark.parametrize(
    ("payments", "area", "precision", "recall"),
    [
        ([(0.1, False), (0.9, True)], 1.0, 1.0, 1.0),
        ([(0.1, True), (0.9, False)], 0.0, 0.0, 0.0),
        ([(0.7, True), (0.7, False)], 0.5, 0.5, 1.0),
        ([(0.2, True), (0.6, True), (0.3, False), (0.8, False)], 0.25, 0.5, 0.5),
    ],
)
def test_figures_are_counted_right(
    payments: list[tuple[float, bool]], area: float, precision: float, recall: float
) -> None:
    found = figures(BySize(), [_payment(*one) for one in payments])
    assert (found["area_under_the_curve"], found["precision"], found["recall"]) == (area, precision, recall)
