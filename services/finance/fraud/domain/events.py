"""The events of profiles and cases."""

from dataclasses import dataclass
from datetime import datetime

from services.finance.fraud.domain.rules import Features, Transfer, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferScreened:
    transfer: Transfer
    features: Features
    verdict: Verdict


ProfileEvent = TransferScreened


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


CaseEvent = CaseOpened | CaseDecided
