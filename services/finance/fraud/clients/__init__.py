"""The adapter of the port to the model: weights in a JSON file, scored in plain Python.

`scripts/fraud-model` trains the weights. The file has no code, and needs no library to be read.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from services.finance.fraud.domain.rules import Features, Scored

DEFAULT = Path(__file__).with_name("weights.json")
NAMES = tuple(field.name for field in fields(Features))


class NotWeights(Exception):
    """The file does not have the weights of a model. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A logistic regression: the weight and the mean of each feature, and the intercept."""

    intercept: float
    weights: Mapping[str, float]
    means: Mapping[str, float]

    def score(self, features: Features) -> Scored:
        """Returns the probability of fraud. A feature speaks for it by its weight × its distance from the mean."""
        values = features.values()
        shares = {name: self.weights[name] * (values[name] - self.means[name]) for name in NAMES}
        total = self.intercept + sum(self.weights[name] * values[name] for name in NAMES)
        causes = sorted((name for name in NAMES if shares[name] > 0), key=lambda name: (-shares[name], name))[:2]
        return Scored(probability=_logistic(total), causes=tuple(causes))


def _logistic(value: float) -> float:
    """Returns 1 / (1 + e^-value) without an overflow."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def read_weights(path: Path = DEFAULT) -> Weights:
    """Reads the weights of a model.

    Raises:
        NotWeights: if the file is missing, or does not have one finite number for each feature.
    """
    try:
        document = json.loads(path.read_text())
        weights, means = (_numbers(document[part]) for part in ("weights", "means"))
        return Weights(intercept=_number(document["intercept"]), weights=weights, means=means)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotWeights(f"{path.name} has no weights for {', '.join(NAMES)}: {error!r}") from error


def _numbers(values: Mapping[str, Any]) -> Mapping[str, float]:
    if set(values) != set(NAMES):
        raise ValueError(f"it has {', '.join(values)}")
    return {name: _number(values[name]) for name in NAMES}


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is not finite")
    return number
