"""A correction needs two people, and happens once."""

from collections.abc import Callable

import pytest
from treaty.domain import Call, Rejected
from treaty.testing.scenarios import given

from services.finance.accounts.application.commands import PostCorrection
from services.finance.accounts.application.corrections import post_approved
from services.finance.accounts.domain.account import Account
from services.finance.accounts.domain.correction import Correction, Status
from services.finance.accounts.domain.events import (
    CorrectionApproved,
    CorrectionDeclined,
    CorrectionEvent,
    CorrectionPosted,
    CorrectionProposed,
    CorrectionRefused,
)
from services.finance.accounts.domain.postings import Contra, Purpose
from tests.services.finance.accounts.test_account import NOW, RICH, eur, placed, posted

APPROVED = CorrectionApproved(by="bob", approved_at=NOW)
DECLINED = CorrectionDeclined(by="bob", reason="it was right", declined_at=NOW)
REFUSED = CorrectionRefused(reason="the money is spent")
DONE = CorrectionPosted(posting_id="a/000000000002")


def proposed(attempt: int = 1) -> CorrectionProposed:
    return CorrectionProposed(
        account_id="a",
        amount=eur(-1000),
        contra=Contra.CASH,
        reason="typed twice",
        by="ann",
        attempt=attempt,
        proposed_at=NOW,
    )


def propose(it: Correction) -> None:
    it.propose(account_id="a", amount=eur(-1000), contra=Contra.CASH, reason="typed twice", by="ann", now=NOW)


def approve(by: str) -> Callable[[Correction], None]:
    return lambda it: it.approve(by, NOW)


def test_another_person_approves_and_the_account_is_asked() -> None:
    given(Correction, "p").when(propose).then([proposed()])
    given(Correction, "p", [proposed()]).when(approve("ann")).then_raises(Rejected, "SAME_PERSON")
    approved = given(Correction, "p", [proposed()]).when(approve("bob")).then([APPROVED])
    assert list(post_approved(approved, APPROVED)) == [
        Call(PostCorrection(account_id="a", posting_id="p", amount=eur(-1000), contra=Contra.CASH))
    ]
    assert list(post_approved(approved, proposed())) == []


@pytest.mark.parametrize("past", [[proposed()], [proposed(), APPROVED], [proposed(), APPROVED, DONE]])
def test_a_posting_is_corrected_once(past: list[CorrectionEvent]) -> None:
    given(Correction, "p", past).when(propose).then_raises(Rejected, "CORRECTED_ALREADY")


@pytest.mark.parametrize("end", [[DECLINED], [APPROVED, REFUSED]])
def test_a_correction_that_was_not_made_may_be_proposed_again(end: list[CorrectionEvent]) -> None:
    again = given(Correction, "p", [proposed(), *end]).when(propose).then([proposed(2)])
    assert (again.status, again.decided_by, again.answer) == (Status.PROPOSED, "", "")


def test_only_a_proposal_is_decided() -> None:
    for past in ([proposed(), APPROVED], [proposed(), DECLINED]):
        given(Correction, "p", past).when(approve("cid")).then_raises(Rejected, "NOT_PROPOSED")
        given(Correction, "p", past).when(lambda it: it.decline("cid", "no", NOW)).then_raises(Rejected, "NOT_PROPOSED")


def test_an_outcome_that_is_told_twice_is_recorded_once() -> None:
    for outcome in (lambda it: it.posted("q"), lambda it: it.refused("no")):
        given(Correction, "p", [proposed(), APPROVED, DONE]).when(outcome).then_nothing()


def test_the_account_posts_the_opposite_within_its_limit() -> None:
    correct = lambda it: it.correct("a/000000000001", eur(-1000), Contra.CASH, NOW)  # noqa: E731
    given(Account, "a", RICH).when(correct).then(
        [posted(-1000, 0, 2, Purpose.CORRECTION, Contra.CASH, "a/000000000001")]
    )
    given(Account, "a", [*RICH, placed("h", 1)]).when(correct).then_raises(Rejected, "INSUFFICIENT_FUNDS")
