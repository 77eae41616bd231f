"""`scripts/fraud-model`: see --help."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from scripts.lib.command_line import parser_of
from scripts.lib.fraud_model.figures import figures
from scripts.lib.fraud_model.payments import made_up
from scripts.lib.fraud_model.regression import NoLibrary, trained
from services.finance.fraud.clients import DEFAULT, NotWeights, Weights, read_weights

SEED, PAYERS = 2026, 3000
TEST_SEED, TEST_PAYERS = 2027, 1000
"""The figures are those on payments that the model was not trained on."""


def main() -> int:
    parser = parser_of("fraud-model")
    parser.add_argument("--check", action="store_true")
    try:
        return _check() if parser.parse_args().check else _train()
    except (NoLibrary, NotWeights) as error:
        print(f"fraud-model: {error}", file=sys.stderr)
        return 2


def _train() -> int:
    weights = trained(made_up(SEED, PAYERS))
    document = written(weights)
    DEFAULT.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document["figures"], indent=2))
    return 0


def written(weights: Weights) -> Mapping[str, Any]:
    """Returns the document of the file: the weights, the payments they were trained on, and the figures."""
    return {
        "trained_on": {"seed": SEED, "payers": PAYERS},
        "intercept": weights.intercept,
        "weights": dict(weights.weights),
        "means": dict(weights.means),
        "tested_on": {"seed": TEST_SEED, "payers": TEST_PAYERS},
        "figures": dict(figures(weights, made_up(TEST_SEED, TEST_PAYERS))),
    }


def _check() -> int:
    equal = json.loads(DEFAULT.read_text()) == written(read_weights())
    print("the figures are those of the weights" if equal else "the figures are not those of the weights: train again")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
