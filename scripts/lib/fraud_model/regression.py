"""Trains the weights: a logistic regression of scikit-learn, which is imported here only."""

from collections.abc import Sequence
from statistics import fmean

from scripts.lib.fraud_model.payments import Payment
from services.finance.fraud.clients import NAMES, Weights


class NoLibrary(Exception):
    """scikit-learn is not installed."""


def trained(payments: Sequence[Payment]) -> Weights:
    """Returns the weights of a logistic regression on payments. The same payments give the same weights.

    Raises:
        NoLibrary: if scikit-learn is not installed.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise NoLibrary("training needs scikit-learn: install it into .venv with `pip install scikit-learn`") from None
    rows = [[payment.features.values()[name] for name in NAMES] for payment in payments]
    model = LogisticRegression(C=1.0, max_iter=2000, tol=1e-10)
    model.fit(rows, [payment.fraud for payment in payments])
    columns = list(zip(*rows, strict=True))
    return Weights(
        intercept=round(float(model.intercept_[0]), 6),
        weights={name: round(float(weight), 6) for name, weight in zip(NAMES, model.coef_[0], strict=True)},
        means={name: round(fmean(column), 6) for name, column in zip(NAMES, columns, strict=True)},
    )
