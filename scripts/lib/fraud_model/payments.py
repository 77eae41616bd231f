"""Made-up payments of made-up payers, some of whom lose their account to a thief. The same seed gives the same ones.

They are no sample of a real bank's payments. Figures on them show that the model works, and not how well it would work
at a bank.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.finance.fraud.domain.rules import Features, Seen, Transfer, features_of, major_units
from services.finance.money import Money

START = datetime(2026, 1, 1, tzinfo=UTC)
VICTIMS = 0.06
"""The share of the payers who lose their account to a thief."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """The features of a payment, and whether it is fraud."""

    features: Features
    fraud: bool


@dataclass(frozen=True, slots=True)
class _Order:
    transfer: Transfer
    fraud: bool


def made_up(seed: int, payers: int) -> Sequence[Payment]:
    """Returns the payments of some payers, in the order of each payer."""
    dice = random.Random(seed)
    return [payment for payer in range(payers) for payment in _history(dice, payer)]


def _history(dice: random.Random, payer: int) -> Iterator[Payment]:
    orders = [*_honest(dice, payer)]
    if dice.random() < VICTIMS:
        orders += _stolen(dice, payer, [major_units(order.transfer.amount) for order in orders])
    recent: list[Seen] = []
    payees: list[str] = []
    for order in sorted(orders, key=lambda one: one.transfer.at):
        transfer = order.transfer
        usual = [seen.units for seen in recent[-50:]]
        yield Payment(features=features_of(transfer, recent[-50:], usual, payees, UTC), fraud=order.fraud)
        recent.append(Seen(transfer_id=transfer.transfer_id, units=major_units(transfer.amount), at=transfer.at))
        payees.append(transfer.payee)


def _honest(dice: random.Random, payer: int) -> Iterator[_Order]:
    """Yields a month of an honest payer: known payees for the most part, by day for the most part."""
    usual = dice.lognormvariate(4.5, 1.2)
    payees = [f"payee-{payer}-{number}" for number in range(dice.randint(3, 12))]
    for number in range(dice.randint(8, 30)):
        payee = dice.choice(payees) if dice.random() < 0.93 else f"new-{payer}-{number}"
        hour = dice.randint(6, 23) if dice.random() < 0.97 else dice.randint(0, 5)
        at = START + timedelta(days=dice.randint(0, 29), hours=hour, minutes=dice.randint(0, 59))
        yield _order(dice, payer, number, payee, usual * dice.lognormvariate(0, 0.7), at, fraud=False)
    if dice.random() < 0.6:
        yield from _bills(dice, payer, payees, usual)


def _bills(dice: random.Random, payer: int, payees: Sequence[str], usual: float) -> Iterator[_Order]:
    """Yields the bills that an honest payer pays in one go; not all of the payees are known."""
    at = START + timedelta(days=dice.randint(0, 29), hours=dice.randint(7, 22))
    for number in range(dice.randint(2, 12)):
        payee = dice.choice(payees) if dice.random() < 0.8 else f"bill-{payer}-{number}"
        yield _order(dice, payer, 500 + number, payee, usual * dice.lognormvariate(0, 0.6), at, fraud=False)
        at += timedelta(minutes=dice.randint(0, 5))


def _stolen(dice: random.Random, payer: int, amounts: Sequence[float]) -> Iterator[_Order]:
    """Yields the payments of a thief: a burst of unusual ones, or several just below the threshold."""
    mean, split = sum(amounts) / len(amounts), dice.random() < 0.3
    night = dice.random() < 0.6
    at = START + timedelta(days=dice.randint(15, 29), hours=dice.randint(1, 4) if night else dice.randint(8, 22))
    for number in range(dice.randint(3, 6) if split else dice.randint(1, 12)):
        amount = dice.uniform(8_000, 9_999) if split else mean * dice.lognormvariate(1.8, 0.8)
        payee = f"thief-{payer}-{number if dice.random() < 0.5 else 0}"
        yield _order(dice, payer, 1000 + number, payee, amount, at, fraud=True)
        at += timedelta(minutes=dice.randint(1, 90) if split else dice.randint(1, 15))


def _order(
    dice: random.Random, payer: int, number: int, payee: str, units: float, at: datetime, *, fraud: bool
) -> _Order:
    amount = Money(max(100, round(units * 100)), "EUR")
    return _Order(Transfer(transfer_id=f"{payer}-{number}", payee=payee, amount=amount, at=at), fraud)
