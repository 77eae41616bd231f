"""The figures of a model on payments: how well it tells fraud from the rest. Plain Python, the same everywhere."""

from collections.abc import Mapping, Sequence

from scripts.lib.fraud_model.payments import Payment
from services.finance.fraud.domain.rules import Model


def figures(model: Model, payments: Sequence[Payment]) -> Mapping[str, float]:
    """Returns the counts, the area under the ROC curve, and precision and recall at a probability of 0.5."""
    scored = [(model.score(payment.features).probability, payment.fraud) for payment in payments]
    found = sum(fraud for probability, fraud in scored if probability >= 0.5)
    named = sum(probability >= 0.5 for probability, _ in scored)
    frauds = sum(fraud for _, fraud in scored)
    return {
        "payments": len(scored),
        "frauds": frauds,
        "area_under_the_curve": round(_area(scored), 4),
        "precision": round(found / named, 4) if named else 0.0,
        "recall": round(found / frauds, 4),
    }


def _area(scored: Sequence[tuple[float, bool]]) -> float:
    """Returns the probability that a fraud gets a higher score than another payment (the rank sum of Mann-Whitney)."""
    ranks, ordered, index = 0.0, sorted(scored), 0
    while index < len(ordered):
        end = index
        while end < len(ordered) and ordered[end][0] == ordered[index][0]:
            end += 1
        ranks += sum(fraud for _, fraud in ordered[index:end]) * (index + 1 + end) / 2
        index = end
    frauds = sum(fraud for _, fraud in ordered)
    return (ranks - frauds * (frauds + 1) / 2) / (frauds * (len(ordered) - frauds))
