"""The review saga: it waits for a person, reminds, and escalates; facts may arrive in any order."""

from datetime import timedelta
from itertools import permutations

import pytest
from treaty.domain import Call
from treaty.testing.scenarios import given_facts

from services.media.compliance.sagas.review import (
    LAST_LEVEL,
    CaseDecided,
    CaseTaken,
    DecisionOverdue,
    EscalateCase,
    HalfTime,
    RemindReviewer,
    Review,
    ReviewAbandoned,
    ReviewFact,
    ReviewResumed,
    RoundBegun,
    TakingOverdue,
    review,
)

DAYS = timedelta(days=8)
REMIND = RemindReviewer(case_id="c", round=1)
TAKEN = CaseTaken(case_id="c", reviewer="rita")
DECIDED = CaseDecided(case_id="c", round=1)
OVERDUE = DecisionOverdue(case_id="c", round=1)
HALF = HalfTime(case_id="c", round=1)
UNTAKEN = TakingOverdue(case_id="c", round=1)
TIMERS = (UNTAKEN, HALF, OVERDUE)


def begun(round: int = 1) -> RoundBegun:
    return RoundBegun(case_id="c", round=round, take_within=DAYS / 4, decide_within=DAYS)


def escalate(level: int) -> EscalateCase:
    return EscalateCase(case_id="c", round=1, level=level)


def test_a_round_sets_its_three_timers() -> None:
    given_facts(review, Review(), []).when(begun()).then(
        [Call(UNTAKEN, after=DAYS / 4), Call(HALF, after=DAYS / 2), Call(OVERDUE, after=DAYS)]
    )


def test_the_team_is_reminded_if_nobody_takes_the_case_and_the_reviewer_at_half_time() -> None:
    given_facts(review, Review(), [begun()]).when(UNTAKEN).then([REMIND])
    given_facts(review, Review(), [begun(), TAKEN]).when(UNTAKEN).then([])
    given_facts(review, Review(), [begun(), TAKEN]).when(HALF).then([REMIND])


def test_a_late_decision_is_escalated_from_level_to_level_and_is_stuck_after_the_last() -> None:
    facts: list[ReviewFact] = [begun()]
    for level in range(1, LAST_LEVEL):
        again = Call(OVERDUE, after=DAYS / 2)
        given_facts(review, Review(), facts).when(OVERDUE).then([escalate(level), again])
        facts.append(OVERDUE)
    state = given_facts(review, Review(), facts).when(OVERDUE).then([escalate(LAST_LEVEL)])
    assert state.stuck == "nobody has decided after 3 escalations"


STUCK: list[ReviewFact] = [begun(), *[OVERDUE] * LAST_LEVEL]


def test_a_stuck_review_is_resumed_with_the_full_time_or_ended_by_hand() -> None:
    resumed = given_facts(review, Review(), STUCK).when(ReviewResumed(case_id="c", reason="sam is back"))
    state = resumed.then([Call(OVERDUE, after=DAYS)])
    assert (state.stuck, state.level) == ("", 0)
    ended = given_facts(review, Review(), STUCK).when(ReviewAbandoned(case_id="c", reason="a test case")).then([])
    assert (ended.stuck, ended.ended) == ("", True)
    given_facts(review, Review(), [begun()]).when(ReviewResumed(case_id="c", reason="")).then([])


def test_a_decision_ends_a_stuck_review() -> None:
    state = given_facts(review, Review(), STUCK).when(DECIDED).then([])
    assert (state.stuck, state.ended) == ("", True)


@pytest.mark.parametrize("timer", TIMERS)
def test_timers_after_the_decision_and_of_an_earlier_round_do_nothing(timer: ReviewFact) -> None:
    given_facts(review, Review(), [begun(), DECIDED]).when(timer).then([])
    given_facts(review, Review(), [begun(), begun(2)]).when(timer).then([])
    given_facts(review, Review(), []).when(timer).then([])


def test_a_reopened_case_is_reviewed_again() -> None:
    state = given_facts(review, Review(), [begun(), DECIDED]).when(begun(2)).state
    assert not state.ended


@pytest.mark.parametrize("facts", list(permutations([begun(), TAKEN, DECIDED, UNTAKEN, OVERDUE])))
def test_a_decided_round_is_over_in_whichever_order_the_facts_arrive(facts: tuple[ReviewFact, ...]) -> None:
    state = given_facts(review, Review(), facts[:-1]).when(facts[-1]).state
    assert (state.ended, state.taken, state.stuck) == (True, True, "")


@pytest.mark.parametrize("facts", list(permutations([begun(1), begun(2), DECIDED, TAKEN])))
def test_the_second_round_runs_in_whichever_order_the_facts_arrive(facts: tuple[ReviewFact, ...]) -> None:
    state = given_facts(review, Review(), facts[:-1]).when(facts[-1]).state
    assert (state.ended, state.round, state.decide_within) == (False, 2, DAYS)
