"""The case: opened by findings, decided by people."""

from datetime import timedelta
from functools import partial

import pytest
from treaty.domain import Rejected
from treaty.testing.scenarios import given

from services.media.compliance.domain.case import KEPT, Case, Status
from services.media.compliance.domain.events import (
    CaseAssigned,
    CaseClosed,
    CaseEscalated,
    CaseEvent,
    CaseReopened,
    FindingCorrected,
    InfringementDetected,
    NoteAdded,
    Outcome,
    ReviewerReminded,
)
from services.media.compliance.domain.findings import Finding, Kind, Severity, severity_of
from tests.services.media.compliance.samples import DEADLINES, NOW, finding, opened


def detected(found: Finding | None = None) -> InfringementDetected:
    found = found or finding()
    return InfringementDetected(finding=found, severity=severity_of(found), detected_at=NOW)


OPEN: list[CaseEvent] = [detected(), opened()]
ASSIGNED = [*OPEN, CaseAssigned(reviewer="rita", by="max")]
CLOSED = [
    *ASSIGNED,
    CaseClosed(outcome=Outcome.SETTLED, by="rita", permission_id="", round=1, closed_at=NOW),
]
SEVERE = finding(Kind.UNLICENSED)


def test_the_first_finding_opens_the_case_with_a_deadline_by_its_severity() -> None:
    case = given(Case, "c").when(lambda it: it.detect(finding(), DEADLINES, NOW)).then(OPEN)
    assert (case.status, case.severity, case.work_id, case.holder_id) == (Status.OPEN, Severity.LOW, "sunset", "ann")
    assert case.decide_by == NOW + DEADLINES.low


def test_another_finding_is_added_and_begins_a_round_only_if_it_is_more_severe() -> None:
    same = given(Case, "c", OPEN).when(lambda it: it.detect(finding(), DEADLINES, NOW)).then([detected()])
    assert (same.uses, same.round) == (2, 1)
    worse = given(Case, "c", ASSIGNED).when(lambda it: it.detect(SEVERE, DEADLINES, NOW))
    case = worse.then([detected(SEVERE), opened(2, Severity.HIGH)])
    assert (case.severity, case.kinds, case.reviewer) == (Severity.HIGH, (Kind.EXCESS, Kind.UNLICENSED), "rita")
    assert case.decide_by == NOW + DEADLINES.high


def test_another_finding_reopens_a_closed_case() -> None:
    reopened = CaseReopened(by="", reason="there is another finding")
    case = given(Case, "c", CLOSED).when(lambda it: it.detect(finding(), DEADLINES, NOW))
    after = case.then([detected(), reopened, opened(2)])
    assert (after.status, after.outcome, after.round) == (Status.OPEN, None, 2)


def test_a_correction_reduces_the_uses_and_leaves_the_decision_to_a_person() -> None:
    event = FindingCorrected(evidence="u-1", uses=1)
    case = given(Case, "c", OPEN).when(lambda it: it.correct("u-1", 5)).then([event])
    assert (case.uses, case.status) == (0, Status.OPEN)
    given(Case, "c").when(lambda it: it.correct("u-1", 5)).then_nothing()


def test_a_case_is_assigned_again_only_to_another_reviewer() -> None:
    given(Case, "c", ASSIGNED).when(lambda it: it.assign("rita", "max")).then_nothing()
    other = CaseAssigned(reviewer="sam", by="max")
    given(Case, "c", ASSIGNED).when(lambda it: it.assign("sam", "max")).then([other])


@pytest.mark.parametrize("outcome", [Outcome.SETTLED, Outcome.DISMISSED, Outcome.LAWYERS])
def test_a_person_closes_an_assigned_case(outcome: Outcome) -> None:
    closed = CaseClosed(outcome=outcome, by="rita", permission_id="", round=1, closed_at=NOW)
    case = given(Case, "c", ASSIGNED).when(lambda it: it.close(outcome, "rita", NOW)).then([closed])
    assert (case.status, case.outcome) == (Status.CLOSED, outcome)


def test_a_case_that_is_licensed_afterwards_names_the_license_and_no_other_does() -> None:
    none = given(Case, "c", ASSIGNED).when(lambda it: it.close(Outcome.LICENSED, "rita", NOW))
    none.then_raises(Rejected, "LICENSE_NEEDED")
    one = given(Case, "c", ASSIGNED).when(lambda it: it.close(Outcome.SETTLED, "rita", NOW, "l-2"))
    one.then_raises(Rejected, "LICENSE_NOT_EXPECTED")
    licensed = given(Case, "c", ASSIGNED).when(lambda it: it.close(Outcome.LICENSED, "rita", NOW, "l-2"))
    assert licensed.state.permission_id == "l-2"


def test_only_an_open_and_assigned_case_is_closed() -> None:
    for past, reason in (([], "CASE_NOT_OPEN"), (OPEN, "CASE_NOT_ASSIGNED"), (CLOSED, "CASE_CLOSED")):
        refused = given(Case, "c", past).when(lambda it: it.close(Outcome.SETTLED, "rita", NOW))
        refused.then_raises(Rejected, reason)


def test_a_closed_case_is_reopened_with_a_new_deadline_and_an_open_one_is_not() -> None:
    later = NOW + timedelta(days=1)
    events = given(Case, "c", CLOSED).when(lambda it: it.reopen("max", "not paid", DEADLINES, later)).events
    assert events[0] == CaseReopened(by="max", reason="not paid")
    assert given(Case, "c", [*CLOSED, *events]).state.decide_by == later + DEADLINES.low
    given(Case, "c", OPEN).when(lambda it: it.reopen("max", "", DEADLINES, later)).then_nothing()
    given(Case, "c").when(lambda it: it.reopen("max", "", DEADLINES, later)).then_raises(Rejected, "CASE_NOT_OPEN")


def test_reminders_and_escalations_of_an_earlier_round_do_nothing() -> None:
    given(Case, "c", OPEN).when(lambda it: it.remind(1, NOW)).then([ReviewerReminded(reviewer="", reminded_at=NOW)])
    escalated = CaseEscalated(level=1, escalated_at=NOW)
    given(Case, "c", OPEN).when(lambda it: it.escalate(1, 1, NOW)).then([escalated])
    given(Case, "c", [*OPEN, escalated]).when(lambda it: it.escalate(1, 1, NOW)).then_nothing()
    for past, number in ((OPEN, 0), (CLOSED, 1), ([*CLOSED, CaseReopened(by="", reason=""), opened(2)], 1)):
        given(Case, "c", past).when(partial(Case.remind, round=number, now=NOW)).then_nothing()
        given(Case, "c", past).when(partial(Case.escalate, round=number, level=1, now=NOW)).then_nothing()


def test_the_latest_notes_and_findings_are_kept_and_no_more() -> None:
    notes: list[CaseEvent] = [NoteAdded(author="rita", ref=f"n-{n}", added_at=NOW) for n in range(KEPT + 1)]
    findings: list[CaseEvent] = [detected(finding(evidence=f"u-{n}")) for n in range(KEPT)]
    case = given(Case, "c", [*OPEN, *notes, *findings]).state
    assert (len(case.notes), len(case.findings), case.uses) == (KEPT, KEPT, KEPT + 1)
    assert (case.notes[0].ref, case.findings[0].evidence) == ("n-1", "u-0")
    given(Case, "c").when(lambda it: it.add_note("rita", "n", NOW)).then_raises(Rejected, "CASE_NOT_OPEN")
