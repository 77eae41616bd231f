"""Whatever people and contexts do to a case: its events give its state, and its alert shows it."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from treaty.testing.scenarios import assert_folds, carried_out

from services.media.compliance.domain.case import Case, Status
from services.media.compliance.domain.events import Outcome
from services.media.compliance.domain.findings import Kind
from services.media.compliance.projections import AlertRow, alert, alert_of
from services.media.compliance.storage import CASES
from tests.services.media.compliance.samples import DEADLINES, NOW, finding

Command = Callable[[Case], object]


def _detect(kind: Kind, uses: int, day: int) -> Command:
    return lambda it: it.detect(finding(kind, uses=uses), DEADLINES, NOW + timedelta(days=day))


def _correct(uses: int) -> Command:
    return lambda it: it.correct("u-1", uses)


def _escalate(number: int, level: int) -> Command:
    return lambda it: it.escalate(number, level, NOW)


_days = st.integers(0, 99)
_commands: st.SearchStrategy[list[Command]] = st.lists(
    st.one_of(
        st.builds(_detect, st.sampled_from(list(Kind)), st.integers(1, 30), _days),
        st.builds(_correct, st.integers(0, 40)),
        st.builds(_escalate, st.integers(0, 4), st.integers(1, 3)),
        st.sampled_from(
            [
                lambda it: it.assign("rita", "max"),
                lambda it: it.assign("sam", "max"),
                lambda it: it.add_note("rita", "ref", NOW),
                lambda it: it.remind(1, NOW),
                lambda it: it.close(Outcome.SETTLED, "rita", NOW),
                lambda it: it.close(Outcome.LICENSED, "rita", NOW, "l-2"),
                lambda it: it.reopen("max", "again", DEADLINES, NOW),
            ]
        ),
    ),
    max_size=20,
)


@given(_commands)
def test_the_events_of_a_case_give_its_state_and_its_alert(commands: list[Command]) -> None:
    state, events = carried_out(Case(id="c"), commands)
    assert_folds(CASES, state, events)
    row: AlertRow | None = None
    for event in events:
        row = alert("c", row, event)
    assert (row is None) == (state.status is Status.NEW)
    if row is not None:
        assert row == alert_of(state)


@given(_commands)
def test_a_case_is_open_without_an_outcome_or_closed_with_one_and_has_no_uses_below_zero(
    commands: list[Command],
) -> None:
    state, _ = carried_out(Case(id="c"), commands)
    assert (state.outcome is not None) == (state.status is Status.CLOSED)
    assert state.uses >= 0
    assert state.status is not Status.CLOSED or state.reviewer
