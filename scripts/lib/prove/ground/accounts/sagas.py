"""A transfer: it takes money, then gives it; if that takes too long, it gives the money back.

Any fact may come first, late, or never.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from treaty.domain import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A client asked for a transfer. `until` is an estimate; it decides only if `within` is not there.

    The version before stores `until` alone.
    """

    transfer: str
    source: str
    target: str
    amount: int
    until: datetime
    within: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    transfer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    transfer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    transfer: str
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLate:
    transfer: str


Fact = Asked | Taken | Refused | Given | TooLate


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    transfer: str
    account: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Give:
    transfer: str
    step: str
    account: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """`outcome` is empty until the branch of the transfer is decided. A transfer takes exactly one branch."""

    source: str = ""
    target: str = ""
    amount: int = 0
    outcome: str = ""
    ended: bool = False
    stuck: str = ""


def transfer(state: Transfer, fact: Fact) -> tuple[Transfer, Sequence[object]]:
    match fact:
        case Asked():
            begun = replace(state, source=fact.source, target=fact.target, amount=fact.amount)
            take = Take(transfer=fact.transfer, account=fact.source, amount=fact.amount)
            return begun, [take, _deadline(fact)]
        case Taken() if state.outcome == "":
            return replace(state, outcome="given"), [_give(state, fact.transfer, "give", state.target)]
        case Taken() if state.outcome == "late":
            return replace(state, outcome="given back"), [_give(state, fact.transfer, "give back", state.source)]
        case TooLate() if state.outcome == "":
            return replace(state, outcome="late"), ()
        case Refused() if state.outcome in ("", "late"):
            return replace(state, outcome="refused", ended=True), ()
        case Given():
            return replace(state, ended=True), ()
    return state, ()


def _give(state: Transfer, id: str, step: str, account: str) -> Give:
    return Give(transfer=id, step=step, account=account, amount=state.amount)


def _deadline(fact: Asked) -> Call:
    too_late = TooLate(transfer=fact.transfer)
    return Call(too_late, due=fact.until) if fact.within is None else Call(too_late, after=fact.within)
