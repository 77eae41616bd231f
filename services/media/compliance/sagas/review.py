"""The review saga: the human step of a case. It waits, reminds, and escalates until a person has decided.

A round begins when a case is opened or reopened, and when a more severe finding is added. Timers of an earlier round do
nothing. After the last escalation the review is stuck: it is shown as stuck until a person resumes or ends it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from treaty.domain import Call

LAST_LEVEL = 3
"""The level of the last escalation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundBegun:
    case_id: str
    round: int
    take_within: timedelta
    decide_within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTaken:
    case_id: str
    reviewer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDecided:
    case_id: str
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakingOverdue:
    """Nobody has taken the case in time."""

    case_id: str
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfTime:
    """Half of the time to decide is over."""

    case_id: str
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionOverdue:
    case_id: str
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewResumed:
    case_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewAbandoned:
    case_id: str
    reason: str


ReviewFact = (
    RoundBegun | CaseTaken | CaseDecided | TakingOverdue | HalfTime | DecisionOverdue | ReviewResumed | ReviewAbandoned
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemindReviewer:
    case_id: str
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalateCase:
    case_id: str
    round: int
    level: int


Command = RemindReviewer | EscalateCase | Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The state of a review. `decided` is the latest round that a person has decided or that was ended by hand."""

    round: int = 0
    decided: int = 0
    taken: bool = False
    level: int = 0
    decide_within: timedelta = timedelta(0)
    stuck: str = ""

    @property
    def ended(self) -> bool:
        return self.round > 0 and self.decided >= self.round


def review(state: Review, fact: ReviewFact) -> tuple[Review, Sequence[Command]]:
    """Sets the timers of a round, and reminds and escalates when they are due."""
    match fact:
        case RoundBegun():
            return _begun(state, fact)
        case CaseTaken():
            return replace(state, taken=True), ()
        case CaseDecided():
            decided = max(state.decided, fact.round)
            return replace(state, decided=decided, stuck="" if decided >= state.round else state.stuck), ()
        case TakingOverdue() | HalfTime() | DecisionOverdue():
            return _timed(state, fact) if _is_running(state, fact.round) else (state, ())
        case ReviewResumed():
            return _resumed(state, fact)
        case ReviewAbandoned():
            return replace(state, decided=state.round, stuck=""), ()


def _begun(state: Review, fact: RoundBegun) -> tuple[Review, Sequence[Command]]:
    if fact.round <= max(state.round, state.decided):
        return replace(state, round=max(state.round, fact.round)), ()
    after = replace(state, round=fact.round, level=0, stuck="", decide_within=fact.decide_within)
    timers = [
        Call(TakingOverdue(case_id=fact.case_id, round=fact.round), after=fact.take_within),
        Call(HalfTime(case_id=fact.case_id, round=fact.round), after=fact.decide_within / 2),
        Call(DecisionOverdue(case_id=fact.case_id, round=fact.round), after=fact.decide_within),
    ]
    return after, timers


def _is_running(state: Review, round: int) -> bool:
    return round == state.round and not state.ended and not state.stuck


def _timed(state: Review, fact: TakingOverdue | HalfTime | DecisionOverdue) -> tuple[Review, Sequence[Command]]:
    match fact:
        case TakingOverdue():
            return state, [] if state.taken else [RemindReviewer(case_id=fact.case_id, round=fact.round)]
        case HalfTime():
            return state, [RemindReviewer(case_id=fact.case_id, round=fact.round)]
        case DecisionOverdue():
            return _overdue(state, fact)


def _overdue(state: Review, fact: DecisionOverdue) -> tuple[Review, Sequence[Command]]:
    """Escalates to the next level. Each level has half of the time again; the last one has no more."""
    level = state.level + 1
    escalation = EscalateCase(case_id=fact.case_id, round=fact.round, level=level)
    if level == LAST_LEVEL:
        return replace(state, level=level, stuck=f"nobody has decided after {level} escalations"), [escalation]
    return replace(state, level=level), [escalation, Call(fact, after=state.decide_within / 2)]


def _resumed(state: Review, fact: ReviewResumed) -> tuple[Review, Sequence[Command]]:
    if not state.stuck:
        return state, ()
    again = DecisionOverdue(case_id=fact.case_id, round=state.round)
    return replace(state, stuck="", level=0), [Call(again, after=state.decide_within)]
