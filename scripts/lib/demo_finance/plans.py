"""The people of the demo, and the transfers that they plan for the day."""

from dataclasses import dataclass

EMPLOYEES = ("ada", "alan", "barbara", "edsger", "grace", "katherine")
FIRMS = ("bookshop", "landlord", "mill")
IN_YEN = ("kenji", "yuki")
FROZEN, CLOSED = "mallory", "oscar"

CLERK, DIRECTOR, FRAUD_DESK = "the-clerk", "the-director", "the-fraud-desk"

COMPLETED = "COMPLETED"
"""The end of a transfer that is made. The other ends are the codes of failed transfers."""

SALARY = 260_000
"""The cents that each employee earns."""

FEE = 350
"""The cents that the bank takes for a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A transfer of the day between two people, in major units, and how it ends."""

    payer: str
    payee: str
    units: int
    ends: str = COMPLETED


BOOK = Planned(payer="edsger", payee="bookshop", units=18)
"""This one is traced, and refunded in the evening."""

LARGE = Planned(payer="mill", payee="landlord", units=12_000)
"""A second person approves this one."""

MORNING = (
    BOOK,
    Planned(payer="mill", payee="landlord", units=2_400),
    Planned(payer="ada", payee="bookshop", units=35),
    Planned(payer="ada", payee="grace", units=120),
    Planned(payer="alan", payee="bookshop", units=40),
    Planned(payer="grace", payee="bookshop", units=40),
    Planned(payer="katherine", payee="bookshop", units=40),
    Planned(payer="barbara", payee="landlord", units=650),
    Planned(payer="kenji", payee="yuki", units=5_000),
    Planned(payer="barbara", payee="ada", units=9_000, ends="INSUFFICIENT_FUNDS"),
    Planned(payer="ada", payee=FROZEN, units=30, ends="ACCOUNT_FROZEN"),
    Planned(payer="grace", payee=CLOSED, units=25, ends="ACCOUNT_CLOSED"),
)

AFTERNOON = (
    LARGE,
    Planned(payer="katherine", payee="edsger", units=1_000),
    Planned(payer="alan", payee="edsger", units=1_000, ends="FRAUD"),
    Planned(payer="grace", payee="edsger", units=1_900, ends="FRAUD_SUSPECTED"),
)
"""Transfers that are unlike those of the morning: Fraud blocks one, and a person decides on others."""
