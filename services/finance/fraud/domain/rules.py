"""The rules of a screening, and the features of a transfer that the rules and the model look at."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Protocol

from services.finance.money import CURRENCIES, Money

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

MANY_IN_AN_HOUR = 10
"""From so many transfers in an hour on, the velocity is a reason."""

LARGE = 10_000
"""From so many major units on, an amount is large. It is also the threshold from which transfers are reported."""

UNUSUAL = 10
"""From so many times the mean of the recent amounts on, an amount is unusual."""

NIGHT = range(1, 5)
"""The odd hours of the day, in the bank's time zone."""

NEAR_THE_THRESHOLD = 0.8
"""An amount of at least this part of the threshold, and below it, is near the threshold."""

SPLIT = 3
"""From so many amounts near the threshold in a day on, they look like one that was split (structuring)."""

REVIEW, BLOCK = 50, 100
"""The points from which a transfer is reviewed, and from which it is blocked."""


class Decision(StrEnum):
    ACCEPT = "accept"
    REVIEW = "review"
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A transfer to screen. One of a `batch`, such as the salaries of a month, does not count for the velocity."""

    transfer_id: str
    payee: str
    amount: Money
    at: datetime
    batch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An earlier transfer of the payer, also one that was refused; `units` are major units."""

    transfer_id: str
    units: float
    at: datetime
    batch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A transfer whose payee has the money; `units` are major units."""

    transfer_id: str
    payee: str
    units: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The numbers that the rules and the model look at.

    Attributes:
        size: the decimal logarithm of 1 + the major units.
        unusual: the decimal logarithm of the amount over the mean of the usual ones, at least 0; 0 without any.
        velocity: the transfers in the last hour, with this one, without those of batches; 1 for one of a batch.
        new_payee: 1 if the payer has not paid the payee before.
        odd_hour: 1 at night.
        near_threshold: the transfers of the last day that are near the threshold, with this one; 0 if this one is not.
    """

    size: float
    unusual: float
    velocity: int
    new_payee: int
    odd_hour: int
    near_threshold: int

    def values(self) -> Mapping[str, float]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason for a verdict: the rule, or `model`, its points, and a sentence for people."""

    rule: str
    points: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    transfer_id: str
    decision: Decision
    points: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The answer of a model: the probability of fraud, and the features that speak most for it."""

    probability: float
    causes: tuple[str, ...]


class Model(Protocol):
    """The port of the model. It is trained outside of the service."""

    def score(self, features: Features) -> Scored: ...


def features_of(
    transfer: Transfer, recent: Sequence[Seen], usual: Sequence[float], payees: Sequence[str], zone: tzinfo
) -> Features:
    """Returns the features of a transfer.

    `recent` are all the transfers that the payer has tried, `usual` the major units of those that were paid, and
    `payees` the payees that have been paid.
    """
    units = major_units(transfer.amount)
    mean = sum(usual) / len(usual) if usual else units
    near = [seen for seen in recent if transfer.at - seen.at < DAY and _is_near(seen.units)]
    return Features(
        size=math.log10(1 + units),
        unusual=max(0.0, math.log10(units / mean)) if units and mean else 0.0,
        velocity=1 + sum(not (transfer.batch or seen.batch) and transfer.at - seen.at < HOUR for seen in recent),
        new_payee=int(transfer.payee not in payees),
        odd_hour=int(transfer.at.astimezone(zone).hour in NIGHT),
        near_threshold=1 + len(near) if _is_near(units) else 0,
    )


def major_units(amount: Money) -> float:
    """Returns an amount in major units: a measure, never money that is kept."""
    return float(amount.minor_units / 10 ** CURRENCIES[amount.currency])


def _is_near(units: float) -> bool:
    return NEAR_THE_THRESHOLD * LARGE <= units < LARGE


def judged(transfer_id: str, features: Features, scored: Scored) -> Verdict:
    """Returns the verdict on a transfer: the points of all reasons are added up."""
    reasons = (*by_rules(features), *_by_model(scored))
    points = sum(reason.points for reason in reasons)
    decision = Decision.BLOCK if points >= BLOCK else Decision.REVIEW if points >= REVIEW else Decision.ACCEPT
    return Verdict(transfer_id=transfer_id, decision=decision, points=points, reasons=reasons)


def by_rules(features: Features) -> Sequence[Reason]:
    """Returns the reasons of the rules."""
    large = features.size >= math.log10(1 + LARGE)
    unusual = features.unusual >= math.log10(UNUSUAL)
    found = [
        (features.velocity >= MANY_IN_AN_HOUR, "velocity", 60, f"{features.velocity} transfers in an hour"),
        (large, "amount", 30, f"{LARGE} or more major units"),
        (unusual, "unusual-amount", 20, f"{UNUSUAL} times the usual amount, or more"),
        (bool(features.new_payee) and (large or unusual), "new-payee", 20, "a payee that was never paid before"),
        (bool(features.odd_hour), "odd-hour", 10, "at night"),
        (features.near_threshold >= SPLIT, "structuring", 60, f"{features.near_threshold} just below {LARGE} in a day"),
    ]
    return [Reason(rule=rule, points=points, text=text) for holds, rule, points, text in found if holds]


def _by_model(scored: Scored) -> Sequence[Reason]:
    points = 60 if scored.probability >= 0.9 else 30 if scored.probability >= 0.5 else 0
    if not points:
        return []
    text = f"the model gives {scored.probability:.0%}, most of it for {' and '.join(scored.causes)}"
    return [Reason(rule="model", points=points, text=text)]
