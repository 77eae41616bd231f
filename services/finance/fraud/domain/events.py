"""The events of profiles and cases."""

from dataclasses import dataclass
from datetime import datetime

from services.finance.fraud.domain.rules import Features, Transfer, Verdict
from services.finance.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferScreened:
    """`outcome_follows` is False in the events of before, when an accepted transfer counted as paid."""

    transfer: Transfer
    features: Features
    verdict: Verdict
    outcome_follows: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferPaid:
    """The payee of a transfer has the money."""

    transfer_id: str
    payee: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PayeeJudged:
    """A person found a transfer to the payee to be fraud, or cleared one to a payee of whom that was found before."""

    payee: str
    fraud: bool


ProfileEvent = TransferScreened | TransferPaid | PayeeJudged


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOpened:
    """`payer` is the account of the payer."""

    payer: str
    transfer: Transfer
    features: Features
    verdict: Verdict
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDecided:
    fraud: bool
    by: str
    note: str
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferEnded:
    """The transfer ended without an effect, and has no case, or none yet. `code` says why."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseClosed:
    """The transfer of an open case ended without an effect, so nobody has to decide. `code` says why it ended."""

    code: str
    closed_at: datetime


CaseEvent = CaseOpened | CaseDecided | TransferEnded | CaseClosed
