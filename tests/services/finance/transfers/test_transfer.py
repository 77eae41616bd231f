"""The transfer: every step in its order, every failure undone, every late answer without an effect."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from finance.transfers.v1 import transfers_events_pb2 as published
from hypothesis import given as always
from hypothesis import strategies as st
from treaty.domain import Call, Invalid, Rejected
from treaty.testing.scenarios import assert_folds, carried_out, given

from services.finance.money import Money
from services.finance.transfers.application import commands as c
from services.finance.transfers.application.ports import Rules
from services.finance.transfers.application.transfers import next_step
from services.finance.transfers.domain import events as e
from services.finance.transfers.domain.allowance import Allowance
from services.finance.transfers.domain.events import Terms, TransferEvent
from services.finance.transfers.domain.statuses import ENDED, Decision, Refund, Status, Unscreened
from services.finance.transfers.domain.transfer import Transfer
from services.finance.transfers.projections import transfer_row
from services.finance.transfers.publishing import publish
from services.finance.transfers.storage import ALLOWANCES, TRANSFER_ROWS, TRANSFERS
from services.finance.wire import money_to_wire

NOW = datetime(2026, 5, 6, tzinfo=UTC)
TERMS = Terms(payer="a", payee="b", amount=Money(500, "EUR"), customer_id="c", initiated_by="ann", reference="r")
RULES = Rules(
    zone=ZoneInfo("Europe/Berlin"),
    large=10_000,
    daily=50_000,
    screening=timedelta(seconds=30),
    review=timedelta(days=1),
    approval=timedelta(days=1),
    unscreened=Unscreened.REFUSE,
    suspense="suspense-",
)
Command = Callable[[Transfer], None]

INITIATED = e.TransferInitiated(terms=TERMS, day="2026-05-06", initiated_at=NOW)
TAKEN, RESERVED = e.AllowanceTaken(), e.MoneyReserved(hold_id="h")
ACCEPTED = e.TransferScreened(decision=Decision.ACCEPT, reasons=())
REVIEW = e.TransferScreened(decision=Decision.REVIEW, reasons=())
CAPTURING, CAPTURED = e.CaptureStarted(), e.MoneyCaptured(posting_id="a/1")
COMPLETED = e.TransferCompleted(posting_id="b/1")
TO_SCREENING: list[TransferEvent] = [INITIATED, TAKEN, RESERVED]
TO_APPROVAL: list[TransferEvent] = [*TO_SCREENING, ACCEPTED, e.ApprovalAsked()]
TO_CAPTURE: list[TransferEvent] = [*TO_SCREENING, ACCEPTED, CAPTURING]
TO_CREDIT: list[TransferEvent] = [*TO_CAPTURE, CAPTURED]
DONE: list[TransferEvent] = [*TO_CREDIT, COMPLETED]


def screened(decision: Decision, *, large: bool = False) -> Command:
    return lambda it: it.screened(decision, ("why",), large=large)


def calls(past: Sequence[TransferEvent], command: Command) -> list[Call]:
    """Returns the calls that follow from a command."""
    outcome = given(Transfer, "t", past).when(command)
    assert outcome.error is None, outcome.error
    policy = next_step(RULES)
    return [call for event in outcome.events for call in policy(outcome.state, event) if isinstance(call, Call)]


def test_a_transfer_takes_its_steps_in_order() -> None:
    assert calls([], lambda it: it.initiate(TERMS, "2026-05-06", NOW)) == [
        Call(c.TakeAllowance(transfer_id="t", customer_id="c", amount=Money(500, "EUR"), day="2026-05-06"))
    ]
    assert calls([INITIATED], Transfer.allowance_taken) == [Call(c.ReserveMoney(transfer_id="t"))]
    assert calls([INITIATED, TAKEN], lambda it: it.reserved("h")) == [
        Call(c.ScreeningOverdue(transfer_id="t"), after=RULES.screening),
        Call(c.Screen(transfer_id="t"), after=timedelta(0)),
    ]
    assert calls(TO_SCREENING, screened(Decision.ACCEPT)) == [Call(c.CaptureMoney(transfer_id="t"))]
    assert calls(TO_CAPTURE, lambda it: it.captured("a/1")) == [Call(c.CreditPayee(transfer_id="t"))]
    assert calls(TO_CREDIT, lambda it: it.credited("b/1")) == []
    assert given(Transfer, "t", DONE).state.status is Status.COMPLETED


FAILURES: list[tuple[list[TransferEvent], Command, list[object]]] = [
    ([INITIATED], lambda it: it.allowance_refused("DAILY_LIMIT", "why"), []),
    (
        [INITIATED, TAKEN],
        lambda it: it.not_reserved("INSUFFICIENT_FUNDS", "why"),
        [c.GiveAllowanceBack(transfer_id="t", customer_id="c", amount=Money(500, "EUR"), day="2026-05-06")],
    ),
    (TO_SCREENING, screened(Decision.BLOCK), [c.ReleaseHold(transfer_id="t")]),
    (TO_SCREENING, lambda it: it.screening_overdue(Unscreened.REFUSE, large=False), [c.ReleaseHold(transfer_id="t")]),
    (TO_APPROVAL, Transfer.approval_overdue, [c.ReleaseHold(transfer_id="t")]),
    (TO_APPROVAL, lambda it: it.cancel("ann", "why"), [c.ReleaseHold(transfer_id="t")]),
    (TO_CAPTURE, lambda it: it.not_captured("HOLD_EXPIRED", "why"), [c.ReleaseHold(transfer_id="t")]),
    (TO_CREDIT, lambda it: it.not_credited("ACCOUNT_CLOSED", "why"), [c.ReturnMoney(transfer_id="t")]),
    (
        [*TO_CREDIT, e.ReturnStarted(code="ACCOUNT_CLOSED", reason="why")],
        Transfer.not_returned,
        [c.ParkMoney(transfer_id="t", attempt=1)],
    ),
]


@pytest.mark.parametrize(("past", "command", "undo"), FAILURES)
def test_every_failure_has_its_undo(past: list[TransferEvent], command: Command, undo: list[object]) -> None:
    assert [call.command for call in calls(past, command)] == undo


def test_a_doomed_transfer_fails_only_when_it_is_undone() -> None:
    blocked = [*TO_SCREENING, e.ReleaseStarted(code="FRAUD", reason="why")]
    assert given(Transfer, "t", blocked).state.status is Status.RELEASING
    failed = e.TransferFailed(code="FRAUD", reason="why", parked=False)
    given(Transfer, "t", blocked).when(Transfer.released).then([failed])
    parking = [*TO_CREDIT, e.ReturnStarted(code="ACCOUNT_CLOSED", reason="why"), e.ParkingStarted(attempt=1)]
    ended = given(Transfer, "t", parking).when(Transfer.money_parked).state
    assert (ended.status, ended.parked, ended.code) == (Status.FAILED, True, "ACCOUNT_CLOSED")


def test_money_that_cannot_be_parked_is_stuck_until_a_person_resumes() -> None:
    parking = [*TO_CREDIT, e.ReturnStarted(code="ACCOUNT_CLOSED", reason="why"), e.ParkingStarted(attempt=1)]
    stuck = given(Transfer, "t", [*parking, e.TransferStuck(reason="no account")])
    assert stuck.state.status is Status.STUCK
    stuck.when(Transfer.resume).then([e.ParkingStarted(attempt=2)])
    given(Transfer, "t", DONE).when(Transfer.resume).then_raises(Rejected, "NOT_STUCK")


IN_REVIEW: list[TransferEvent] = [*TO_SCREENING, REVIEW, e.ReviewAsked()]
UNSCREENED: list[TransferEvent] = [
    *TO_SCREENING,
    e.ScreeningMissed(policy=Unscreened.APPROVE),
    e.ApprovalAsked(),
]
DOOMED = e.ReleaseStarted(code="FRAUD", reason="a review found fraud")
FRAUD, CLEARED = e.ReviewDecided(fraud=True, by="bob"), e.ReviewDecided(fraud=False, by="bob")


def reviewed(*, fraud: bool, large: bool = False) -> Command:
    return lambda it: it.reviewed(fraud=fraud, by="bob", large=large)


@pytest.mark.parametrize(
    ("past", "large", "status"),
    [
        (IN_REVIEW, False, Status.CAPTURING),
        (IN_REVIEW, True, Status.AWAITING_APPROVAL),
        (TO_SCREENING, False, Status.SCREENING),
        (UNSCREENED, False, Status.AWAITING_APPROVAL),
        (TO_APPROVAL, True, Status.AWAITING_APPROVAL),
        (TO_CAPTURE, False, Status.CAPTURING),
    ],
)
def test_a_cleared_transfer_goes_on_if_it_waits_for_the_review_and_is_remembered_otherwise(
    past: list[TransferEvent], large: bool, status: Status
) -> None:
    cleared = given(Transfer, "t", past).when(reviewed(fraud=False, large=large)).state
    assert (cleared.status, cleared.found_fraud) == (status, False)


@pytest.mark.parametrize("past", [TO_SCREENING, IN_REVIEW, UNSCREENED, TO_APPROVAL])
def test_a_fraud_that_a_person_finds_frees_the_money_while_it_is_only_held(past: list[TransferEvent]) -> None:
    found = given(Transfer, "t", past).when(reviewed(fraud=True))
    found.then([FRAUD, DOOMED])
    assert calls(past, reviewed(fraud=True)) == [Call(c.ReleaseHold(transfer_id="t"))]
    for late in (lambda it: it.approve("bob"), lambda it: it.cancel("ann", "why")):
        given(Transfer, "t", [*past, FRAUD, DOOMED]).when(late).then_raises(Rejected)
    ended = given(Transfer, "t", [*past, FRAUD, DOOMED]).when(Transfer.released).state
    assert (ended.status, ended.code) == (Status.FAILED, "FRAUD")


@pytest.mark.parametrize("past", [[INITIATED], [INITIATED, TAKEN]])
def test_a_fraud_that_is_found_before_the_hold_frees_the_money_once_it_is_held(past: list[TransferEvent]) -> None:
    given(Transfer, "t", past).when(reviewed(fraud=True)).then([FRAUD])
    held = given(Transfer, "t", [INITIATED, TAKEN, FRAUD]).when(lambda it: it.reserved("h"))
    held.then([RESERVED, DOOMED])
    assert calls([INITIATED, TAKEN, FRAUD], lambda it: it.reserved("h")) == [Call(c.ReleaseHold(transfer_id="t"))]


def test_a_fraud_that_is_found_while_the_capture_is_on_its_way_returns_the_money_to_the_payer() -> None:
    given(Transfer, "t", TO_CAPTURE).when(reviewed(fraud=True)).then([FRAUD])
    past = [*TO_CAPTURE, FRAUD]
    returning = e.ReturnStarted(code="FRAUD", reason="a review found fraud")
    given(Transfer, "t", past).when(lambda it: it.captured("a/1")).then([CAPTURED, returning])
    assert calls(past, lambda it: it.captured("a/1")) == [Call(c.ReturnMoney(transfer_id="t"))]
    assert calls(past, lambda it: it.not_captured("HOLD_EXPIRED", "why")) == [Call(c.ReleaseHold(transfer_id="t"))]


@pytest.mark.parametrize("fraud", [True, False])
@pytest.mark.parametrize(
    "past",
    [
        TO_CREDIT,
        DONE,
        [*TO_SCREENING, DOOMED],
        [*TO_CREDIT, e.ReturnStarted(code="X", reason="why")],
        [INITIATED, e.TransferFailed(code="X", reason="why", parked=False)],
        [*IN_REVIEW, FRAUD, DOOMED],
        [*IN_REVIEW, CLEARED, CAPTURING],
    ],
)
def test_a_decision_after_the_capture_after_the_end_or_a_second_time_changes_nothing(
    past: list[TransferEvent], fraud: bool
) -> None:
    given(Transfer, "t", past).when(reviewed(fraud=fraud)).then_nothing()


def test_a_decision_that_comes_before_the_verdict_is_used_by_it() -> None:
    cleared = given(Transfer, "t", [*TO_SCREENING, CLEARED])
    why = e.TransferScreened(decision=Decision.REVIEW, reasons=("why",))
    cleared.when(screened(Decision.REVIEW)).then([why, CAPTURING])
    cleared.when(screened(Decision.REVIEW, large=True)).then([why, e.ApprovalAsked()])
    blocked = cleared.when(screened(Decision.BLOCK)).state
    assert (blocked.status, blocked.code) == (Status.RELEASING, "FRAUD_SUSPECTED")
    overdue = cleared.when(lambda it: it.screening_overdue(Unscreened.REFUSE, large=False)).state
    assert (overdue.status, overdue.code, overdue.unscreened) == (Status.CAPTURING, "", Unscreened.ACCEPT)
    given(Transfer, "t", [*TO_SCREENING, FRAUD, DOOMED]).when(screened(Decision.REVIEW)).then_nothing()


def test_a_verdict_after_the_policy_is_shown_to_the_approver_and_blocks() -> None:
    for decision in (Decision.ACCEPT, Decision.REVIEW):
        shown = given(Transfer, "t", UNSCREENED).when(screened(decision)).state
        assert (shown.status, shown.decision, shown.reasons) == (Status.AWAITING_APPROVAL, decision, ("why",))
    blocked = given(Transfer, "t", UNSCREENED).when(screened(Decision.BLOCK)).state
    assert (blocked.status, blocked.code) == (Status.RELEASING, "FRAUD_SUSPECTED")
    given(Transfer, "t", TO_APPROVAL).when(screened(Decision.BLOCK)).then_nothing()
    given(Transfer, "t", TO_CAPTURE).when(screened(Decision.BLOCK)).then_nothing()


def test_a_review_that_does_not_come_in_time_ends_the_transfer() -> None:
    late = given(Transfer, "t", IN_REVIEW).when(Transfer.review_overdue).state
    assert (late.status, late.code) == (Status.RELEASING, "NOT_REVIEWED")


@pytest.mark.parametrize(
    ("policy", "large", "status"),
    [
        (Unscreened.REFUSE, False, Status.RELEASING),
        (Unscreened.APPROVE, False, Status.AWAITING_APPROVAL),
        (Unscreened.ACCEPT, False, Status.CAPTURING),
        (Unscreened.ACCEPT, True, Status.AWAITING_APPROVAL),
    ],
)
def test_a_verdict_that_does_not_come_is_a_policy_that_can_be_seen(
    policy: Unscreened, large: bool, status: Status
) -> None:
    after = given(Transfer, "t", TO_SCREENING).when(lambda it: it.screening_overdue(policy, large=large)).state
    assert (after.status, after.unscreened) == (status, policy)
    given(Transfer, "t", TO_CAPTURE).when(lambda it: it.screening_overdue(policy, large=large)).then_nothing()


def test_a_large_transfer_needs_a_second_person() -> None:
    assert given(Transfer, "t", TO_SCREENING).when(screened(Decision.ACCEPT, large=True)).state.status is (
        Status.AWAITING_APPROVAL
    )
    given(Transfer, "t", TO_APPROVAL).when(lambda it: it.approve("ann")).then_raises(Rejected, "SAME_PERSON")
    approved = given(Transfer, "t", TO_APPROVAL).when(lambda it: it.approve("bob"))
    approved.then([e.TransferApproved(by="bob"), e.CaptureStarted()])
    given(Transfer, "t", TO_CAPTURE).when(lambda it: it.approve("bob")).then_raises(Rejected, "NOT_AWAITING_APPROVAL")


def test_a_cancellation_waits_for_the_answer_that_is_on_its_way() -> None:
    asked = e.CancellationAsked(by="ann", reason="a mistake")
    given(Transfer, "t", [INITIATED, TAKEN]).when(lambda it: it.cancel("ann", "a mistake")).then([asked])
    cancelling = given(Transfer, "t", [INITIATED, TAKEN, asked])
    cancelling.when(lambda it: it.cancel("ann", "again")).then_nothing()
    held = cancelling.when(lambda it: it.reserved("h")).state
    assert (held.status, held.code) == (Status.RELEASING, "CANCELLED")
    assert calls([INITIATED, TAKEN, asked], lambda it: it.reserved("h")) == [Call(c.ReleaseHold(transfer_id="t"))]
    refused = cancelling.when(lambda it: it.not_reserved("INSUFFICIENT_FUNDS", "why")).state
    assert refused.status is Status.FAILED
    early = given(Transfer, "t", [INITIATED, asked]).when(Transfer.allowance_taken).state
    assert early.status is Status.CANCELLED


@pytest.mark.parametrize("past", [TO_CAPTURE, TO_CREDIT, DONE])
def test_after_the_capture_has_begun_it_is_too_late_to_cancel(past: list[TransferEvent]) -> None:
    given(Transfer, "t", past).when(lambda it: it.cancel("ann", "why")).then_raises(Rejected, "TOO_LATE_TO_CANCEL")


def test_a_refund_before_the_end_waits_for_it_and_happens_once() -> None:
    asked = e.RefundAsked(reason="why", by="bob")
    given(Transfer, "t", TO_CREDIT).when(lambda it: it.ask_refund("why", "bob")).then([asked])
    waiting = given(Transfer, "t", [*TO_CREDIT, asked])
    waiting.when(lambda it: it.credited("b/1")).then([COMPLETED, e.RefundStarted(attempt=1)])
    waiting.when(lambda it: it.ask_refund("why", "bob")).then_raises(Rejected, "REFUNDED_ALREADY")
    paid = [*DONE, asked, e.RefundStarted(attempt=1), e.RefundTaken(posting_id="b/2")]
    given(Transfer, "t", paid).when(lambda it: it.refund_paid("a/2")).then(
        [e.RefundPaid(posting_id="a/2", parked=False)]
    )
    twice = given(Transfer, "t", [*paid, e.RefundPaid(posting_id="a/2", parked=False)])
    twice.when(lambda it: it.ask_refund("why", "bob")).then_raises(Rejected, "REFUNDED_ALREADY")


def test_a_refund_of_a_transfer_that_fails_is_refused() -> None:
    past = [*TO_CREDIT, e.RefundAsked(reason="w", by="bob"), e.ReturnStarted(code="ACCOUNT_CLOSED", reason="why")]
    ended = given(Transfer, "t", past).when(Transfer.returned).state
    assert (ended.status, ended.refund) == (Status.FAILED, Refund.REFUSED)
    failed = given(Transfer, "t", [INITIATED, e.TransferFailed(code="X", reason="why", parked=False)])
    failed.when(lambda it: it.ask_refund("why", "bob")).then_raises(Rejected, "NOT_COMPLETED")


def test_a_refund_that_the_payee_cannot_pay_may_be_asked_for_again() -> None:
    asked = [*DONE, e.RefundAsked(reason="w", by="bob"), e.RefundStarted(attempt=1), e.RefundRefused(reason="spent")]
    assert calls(asked, lambda it: it.ask_refund("w", "bob")) == [Call(c.TakeRefund(transfer_id="t", attempt=2))]


def test_a_refund_to_a_closed_payer_is_parked() -> None:
    taken = [*DONE, e.RefundAsked(reason="w", by="b"), e.RefundStarted(attempt=1), e.RefundTaken(posting_id="b/2")]
    assert calls(taken, lambda it: it.refund_not_paid("closed")) == [Call(c.ParkRefund(transfer_id="t", attempt=1))]
    parking = given(Transfer, "t", [*taken, e.RefundParkingStarted(attempt=1)])
    parking.when(lambda it: it.refund_paid("s/1")).then([e.RefundPaid(posting_id="s/1", parked=True)])
    stuck = parking.when(lambda it: it.refund_not_paid("no account")).state
    assert stuck.refund is Refund.STUCK


def announced(past: Sequence[TransferEvent], command: Command) -> list[Any]:
    outcome = given(Transfer, "t", past).when(command)
    assert outcome.error is None, outcome.error
    return [one for event in outcome.events for one in publish(outcome.state, event)]


def test_money_that_is_stuck_and_a_refund_that_is_refused_are_announced() -> None:
    told: dict[str, Any] = {"transfer_id": "t", "payer": "a", "payee": "b", "customer_id": "c"}
    told["amount"] = money_to_wire(TERMS.amount)
    parking = [*TO_CREDIT, e.ReturnStarted(code="ACCOUNT_CLOSED", reason="why"), e.ParkingStarted(attempt=1)]
    assert announced(parking, lambda it: it.not_parked("no account")) == [
        published.PaymentStuck(**told, reason="no account")
    ]
    taking = [*DONE, e.RefundAsked(reason="w", by="b"), e.RefundStarted(attempt=1)]
    assert announced(taking, lambda it: it.refund_refused("spent")) == [published.RefundRefused(**told, reason="spent")]
    refunding = [*taking, e.RefundTaken(posting_id="b/2"), e.RefundParkingStarted(attempt=1)]
    assert announced(refunding, lambda it: it.refund_not_paid("no account")) == [
        published.RefundStuck(**told, reason="no account")
    ]


def test_a_row_of_before_the_refund_was_shown_has_none() -> None:
    row: Any = transfer_row("t", None, INITIATED)
    stored = TRANSFER_ROWS.codec.encode(row)
    del stored["refund"]
    assert TRANSFER_ROWS.codec.decode(stored) == row


def test_the_same_transfer_again_changes_nothing_and_another_one_is_refused_by_its_field() -> None:
    known = given(Transfer, "t", [INITIATED])
    known.when(lambda it: it.initiate(TERMS, "2026-05-07", NOW)).then_nothing()
    other = Terms(payer="a", payee="x", amount=Money(500, "EUR"), customer_id="c", initiated_by="ann", reference="r")
    refused = known.when(lambda it: it.initiate(other, "2026-05-06", NOW)).then_raises(Invalid)
    assert refused.field == "payee"


def test_payer_and_payee_are_two_and_the_amount_is_positive() -> None:
    for payee, units, field in (("a", 500, "payee"), ("b", 0, "amount.minor_units"), ("b", -1, "amount.minor_units")):
        amount = Money(units, "EUR")
        terms = Terms(payer="a", payee=payee, amount=amount, customer_id="c", initiated_by="ann", reference="")
        refused = given(Transfer, "t").when(lambda it, terms=terms: it.initiate(terms, "d", NOW))  # type: ignore[misc]
        assert refused.then_raises(Invalid).field == field


def test_an_allowance_is_used_up_and_given_back() -> None:
    limit = Money(1000, "EUR")
    allowance = given(Allowance, "c", [e.AllowanceUsed(units=600)])
    allowance.when(lambda it: it.use(Money(400, "EUR"), limit)).then([e.AllowanceUsed(units=400)])
    refused = allowance.when(lambda it: it.use(Money(401, "EUR"), limit)).then_raises(Rejected, "DAILY_LIMIT")
    assert "4.00 EUR more" in refused.message
    state, events = carried_out(
        Allowance(id="c"), [lambda it: it.use(limit, limit), lambda it: it.give_back(Money(1, "EUR"))]
    )
    assert state.used == 999
    assert_folds(ALLOWANCES, state, events)


_ANSWERS: dict[str, Command] = {
    "allowance": Transfer.allowance_taken,
    "no allowance": lambda it: it.allowance_refused("DAILY_LIMIT", "why"),
    "reserved": lambda it: it.reserved("h"),
    "not reserved": lambda it: it.not_reserved("INSUFFICIENT_FUNDS", "why"),
    "accept": screened(Decision.ACCEPT),
    "large": screened(Decision.ACCEPT, large=True),
    "review": screened(Decision.REVIEW),
    "block": screened(Decision.BLOCK),
    "unscreened": lambda it: it.screening_overdue(Unscreened.APPROVE, large=False),
    "fraud": lambda it: it.reviewed(fraud=True, by="bob", large=False),
    "cleared": lambda it: it.reviewed(fraud=False, by="bob", large=False),
    "review overdue": Transfer.review_overdue,
    "approve": lambda it: it.approve("bob"),
    "approval overdue": Transfer.approval_overdue,
    "cancel": lambda it: it.cancel("ann", "why"),
    "captured": lambda it: it.captured("a/1"),
    "not captured": lambda it: it.not_captured("HOLD_EXPIRED", "why"),
    "credited": lambda it: it.credited("b/1"),
    "not credited": lambda it: it.not_credited("ACCOUNT_CLOSED", "why"),
    "released": Transfer.released,
    "returned": Transfer.returned,
    "not returned": Transfer.not_returned,
    "parked": Transfer.money_parked,
    "not parked": lambda it: it.not_parked("why"),
    "resume": Transfer.resume,
    "refund": lambda it: it.ask_refund("why", "bob"),
    "taken": lambda it: it.refund_taken("b/2"),
    "refund refused": lambda it: it.refund_refused("why"),
    "paid": lambda it: it.refund_paid("a/2"),
    "not paid": lambda it: it.refund_not_paid("why"),
}
_answers = st.lists(st.sampled_from(sorted(_ANSWERS)).map(_ANSWERS.__getitem__), max_size=60)


@always(_answers)
def test_answers_in_any_order_give_one_end_and_events_that_give_the_state(answers: list[Command]) -> None:
    state, events = carried_out(Transfer(id="t"), [lambda it: it.initiate(TERMS, "2026-05-06", NOW), *answers])
    assert_folds(TRANSFERS, state, events)
    ends = [event for event in events if isinstance(event, e.TransferCompleted | e.TransferFailed)]
    assert len(ends) == (state.status in ENDED)
    assert sum(isinstance(event, e.RefundPaid) for event in events) <= 1
    row: Any = None
    for event in events:
        row = transfer_row("t", row, event)
    assert row.status is state.status
    assert row.refund is (Refund.CREDITING if state.refund is Refund.PARKING else state.refund)


@always(_answers)
def test_money_is_captured_once_and_credited_or_given_back_once(answers: list[Command]) -> None:
    state, events = carried_out(Transfer(id="t"), [lambda it: it.initiate(TERMS, "2026-05-06", NOW), *answers])
    policy = next_step(RULES)
    asked: list[str] = []
    for event in events:
        asked += [type(call.command).__name__ for call in policy(state, event) if isinstance(call, Call)]
    assert asked.count("CaptureMoney") <= 1
    assert asked.count("CreditPayee") <= 1
    assert asked.count("ReturnMoney") <= 1
    credited = any(isinstance(event, e.TransferCompleted) for event in events)
    assert not (credited and {"ReturnMoney", "ParkMoney"} & set(asked))
    assert not (state.found_fraud and {"CreditPayee"} & set(asked))
