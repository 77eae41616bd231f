"""The processing of an asset: step after step, although its facts arrive in any order and more than once."""

from datetime import timedelta
from itertools import permutations

import pytest
from treaty.domain import Call
from treaty.testing.scenarios import given_facts

from services.media.assets.sagas.processing import (
    IndexAsset,
    InspectAsset,
    MakeAssetReady,
    Processing,
    ProcessingAbandoned,
    ProcessingResumed,
    Step,
    StepOverdue,
    StepReached,
    process,
)

WITHIN = timedelta(minutes=10)
NEXT = {Step.UPLOADED: InspectAsset, Step.INSPECTED: IndexAsset, Step.INDEXED: MakeAssetReady}


def reached(step: Step) -> StepReached:
    return StepReached(asset_id="a", step=int(step), within=WITHIN)


def overdue(step: Step, attempt: int = 1) -> StepOverdue:
    return StepOverdue(asset_id="a", step=int(step), attempt=attempt)


STEPS = [reached(step) for step in (Step.UPLOADED, Step.INSPECTED, Step.INDEXED, Step.ENDED)]


@pytest.mark.parametrize("step", list(NEXT))
def test_a_step_begins_the_next_one_and_its_deadline(step: Step) -> None:
    given_facts(process, Processing(), []).when(reached(step)).then(
        [NEXT[step](asset_id="a"), Call(overdue(step), after=WITHIN)]
    )


def test_the_last_step_ends_it() -> None:
    assert given_facts(process, Processing(), STEPS[:3]).when(STEPS[3]).then([]).ended


@pytest.mark.parametrize("order", list(permutations(STEPS)))
def test_the_facts_may_arrive_in_any_order_and_twice(order: tuple[StepReached, ...]) -> None:
    state = Processing()
    for fact in (*order, *order):
        state, _ = process(state, fact)
    assert (state.ended, state.stuck) == (True, "")


@pytest.mark.parametrize("order", list(permutations(STEPS)))
def test_a_step_is_never_begun_after_a_later_one_was_reached(order: tuple[StepReached, ...]) -> None:
    state, farthest = Processing(), 0
    for fact in order:
        state, commands = process(state, fact)
        begun = [command for command in commands if not isinstance(command, Call)]
        assert begun == ([NEXT[Step(fact.step)](asset_id="a")] if farthest < fact.step < Step.ENDED else [])
        farthest = max(farthest, fact.step)


def test_a_step_that_takes_too_long_is_shown_as_stuck_until_it_is_done() -> None:
    state = given_facts(process, Processing(), STEPS[:1]).when(overdue(Step.UPLOADED)).then([])
    assert state.stuck == "the step after uploaded was not done in time"
    done = given_facts(process, Processing(), [STEPS[0], overdue(Step.UPLOADED)]).when(STEPS[1])
    state = done.then([IndexAsset(asset_id="a"), Call(overdue(Step.INSPECTED), after=WITHIN)])
    assert not state.stuck


def test_the_deadline_of_a_step_that_is_over_changes_nothing() -> None:
    for late in (overdue(Step.UPLOADED), overdue(Step.INSPECTED, attempt=2)):
        assert not given_facts(process, Processing(), STEPS[:2]).when(late).then([]).stuck
    assert not given_facts(process, Processing(), STEPS).when(overdue(Step.INDEXED)).then([]).stuck


def test_a_person_lets_a_stuck_step_try_again_or_ends_it() -> None:
    stuck = [STEPS[0], overdue(Step.UPLOADED)]
    again = given_facts(process, Processing(), stuck).when(ProcessingResumed(asset_id="a", reason="there is memory"))
    state = again.then([InspectAsset(asset_id="a"), Call(overdue(Step.UPLOADED, attempt=2), after=WITHIN)])
    assert (state.stuck, state.attempt) == ("", 2)
    ended = given_facts(process, Processing(), stuck).when(ProcessingAbandoned(asset_id="a", reason="a test")).then([])
    assert (ended.ended, ended.stuck) == (True, "")


def test_nothing_is_resumed_that_is_not_stuck() -> None:
    given_facts(process, Processing(), STEPS[:1]).when(ProcessingResumed(asset_id="a", reason="")).then([])
