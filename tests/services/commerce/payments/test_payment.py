"""The payment, in its own words: what the order wants and where the money is may change in any order."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from treaty.domain import Call, Rejected
from treaty.testing.scenarios import given

from services.commerce.money import Money
from services.commerce.payments.application import Authorise, Void, ask_gateway
from services.commerce.payments.domain.events import (
    ApprovedTooLate,
    CaptureStarted,
    MethodForgotten,
    MethodRegistered,
    OrderCancelled,
    OrderConfirmed,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentEvent,
    PaymentFailed,
    PaymentRequested,
    PaymentVoided,
    VerdictAwaited,
    VoidRefused,
    VoidStarted,
)
from services.commerce.payments.domain.method import PaymentMethod
from services.commerce.payments.domain.payment import Kind, Payment, Status, Transaction

AMOUNT = Money(500, "GBP")
REQUESTED = PaymentRequested(amount=AMOUNT)
AUTHORISED, CONFIRMED, CANCELLED = PaymentAuthorised(), OrderConfirmed(), OrderCancelled()
FAILED = PaymentFailed(reason="declined", reversal=False)
CAPTURING = [REQUESTED, AUTHORISED, CONFIRMED, CaptureStarted()]
CAPTURED = [*CAPTURING, PaymentCaptured()]
VOIDING = [REQUESTED, AUTHORISED, CANCELLED, VoidStarted()]
AWAITED = VerdictAwaited()
GIVEN_UP = PaymentFailed(reason="the order was cancelled", reversal=True)


def request(payment: Payment) -> None:
    payment.request(AMOUNT)


def fail(payment: Payment) -> None:
    payment.fail("declined", reversal=False)


def test_money_is_asked_for_once() -> None:
    assert given(Payment, "o").when(request).then([REQUESTED]).amount == AMOUNT
    given(Payment, "o", [REQUESTED]).when(request).then_nothing()


def test_no_money_is_asked_for_an_order_that_was_cancelled_first() -> None:
    given(Payment, "o", [CANCELLED]).when(request).then_nothing()


def test_an_authorised_payment_waits_for_the_order() -> None:
    assert given(Payment, "o", [REQUESTED]).when(Payment.authorised).then([AUTHORISED]).status is Status.AUTHORISED


def test_a_declined_payment_has_failed() -> None:
    assert given(Payment, "o", [REQUESTED]).when(fail).then([FAILED]).reason == "declined"


def test_a_gateway_that_did_not_answer_is_told_to_give_the_money_up() -> None:
    silent = PaymentFailed(reason="no answer", reversal=True)
    given(Payment, "o", [REQUESTED]).when(lambda payment: payment.fail("no answer", reversal=True)).then([silent])


def test_a_payment_by_an_expired_method_fails_and_nothing_is_asked_of_the_gateway() -> None:
    by_card = PaymentRequested(amount=AMOUNT, customer_id="ann", token="tok_1", label="card")
    expired = PaymentFailed(reason="the payment method has expired", reversal=False)

    def request(payment: Payment) -> None:
        payment.request(AMOUNT, customer_id="ann", token="tok_1", label="card", expired=True)

    payment = given(Payment, "o").when(request).then([by_card, expired])
    assert [call for event in (by_card, expired) for call in ask_gateway(payment, event)] == []
    given(Payment, "o", [REQUESTED]).when(request).then_nothing()


@pytest.mark.parametrize("command", [Payment.authorised, fail])
@pytest.mark.parametrize("past", [[], [REQUESTED, AUTHORISED], VOIDING, CAPTURED])
def test_a_late_answer_of_the_gateway_changes_nothing(past: list[PaymentEvent], command) -> None:  # type: ignore[no-untyped-def]
    given(Payment, "o", past).when(command).then_nothing()


def test_the_money_of_a_confirmed_order_is_captured() -> None:
    given(Payment, "o", [REQUESTED, AUTHORISED]).when(Payment.confirm).then([CONFIRMED, CaptureStarted()])
    given(Payment, "o", CAPTURING).when(Payment.captured).then([PaymentCaptured()])


def test_a_confirmation_that_comes_first_is_remembered() -> None:
    given(Payment, "o").when(Payment.confirm).then([CONFIRMED])
    given(Payment, "o", [CONFIRMED, REQUESTED]).when(Payment.authorised).then([AUTHORISED, CaptureStarted()])


def test_the_money_of_a_cancelled_order_is_voided() -> None:
    given(Payment, "o", [REQUESTED, AUTHORISED]).when(Payment.cancel).then([CANCELLED, VoidStarted()])
    given(Payment, "o", VOIDING).when(Payment.voided).then([PaymentVoided()])


def test_a_cancellation_that_comes_before_the_answer_is_remembered() -> None:
    given(Payment, "o", [REQUESTED]).when(Payment.cancel).then([CANCELLED])
    given(Payment, "o", [REQUESTED, CANCELLED]).when(Payment.authorised).then([AUTHORISED, VoidStarted()])


def test_a_cancellation_wins_over_a_confirmation() -> None:
    given(Payment, "o", [REQUESTED, CONFIRMED, CANCELLED]).when(Payment.authorised).then([AUTHORISED, VoidStarted()])
    given(Payment, "o", VOIDING).when(Payment.confirm).then([CONFIRMED])


@pytest.mark.parametrize(
    ("command", "past"), [(Payment.confirm, [CONFIRMED]), (Payment.cancel, [REQUESTED, CANCELLED])]
)
def test_being_told_twice_is_no_error(command: Callable[[Payment], None], past: list[PaymentEvent]) -> None:
    given(Payment, "o", past).when(command).then_nothing()


def test_money_that_the_gateway_refuses_to_take_fails_the_payment_and_what_is_held_is_released() -> None:
    refused = PaymentFailed(reason="the money could not be taken: declined by the bank", reversal=True)
    payment = given(Payment, "o", CAPTURING).when(lambda payment: payment.capture_refused("declined by the bank"))
    state = payment.then([refused])
    assert (state.status, state.left) == (Status.FAILED, None)
    assert list(ask_gateway(state, refused)) == [Call(Void(order_id="o"))]
    given(Payment, "o", [*CAPTURING, refused]).when(Payment.cancel).then([CANCELLED])


def test_a_hold_that_the_gateway_does_not_give_up_has_an_end_that_people_see() -> None:
    payment = given(Payment, "o", VOIDING).when(lambda payment: payment.void_refused("no such hold"))
    assert payment.then([VoidRefused(reason="no such hold")]).status is Status.VOID_REFUSED


@pytest.mark.parametrize(
    "past", [[REQUESTED, GIVEN_UP, ApprovedTooLate()], [*CAPTURING, PaymentFailed(reason="refused", reversal=True)]]
)
def test_a_failed_payment_whose_hold_is_not_given_up_is_seen_too(past: list[PaymentEvent]) -> None:
    payment = given(Payment, "o", past).when(lambda payment: payment.void_refused("try later"))
    assert payment.then([VoidRefused(reason="try later")]).status is Status.VOID_REFUSED
    again = given(Payment, "o", [*past, VoidRefused(reason="try later")])
    assert again.when(Payment.voided).then([PaymentVoided()]).status is Status.VOIDED
    again.when(lambda payment: payment.void_refused("try later")).then_nothing()
    given(Payment, "o", past).when(Payment.authorised).then_nothing()


def test_a_hold_that_there_may_never_have_been_is_nothing_to_look_at() -> None:
    failed = given(Payment, "o", [REQUESTED, GIVEN_UP])
    failed.when(lambda payment: payment.void_refused("no such hold")).then_nothing()


@pytest.mark.parametrize("command", [Payment.captured, Payment.voided, lambda payment: payment.refunded("r")])
@pytest.mark.parametrize("past", [[], [REQUESTED], [REQUESTED, AUTHORISED], [REQUESTED, FAILED, CANCELLED]])
def test_what_was_not_asked_of_the_gateway_does_not_happen(
    command: Callable[[Payment], None], past: list[PaymentEvent]
) -> None:
    given(Payment, "o", past).when(command).then_nothing()


def test_what_was_done_with_the_money_is_kept() -> None:
    done = given(Payment, "o", CAPTURING).when(Payment.captured).then([PaymentCaptured()])
    assert done.transactions == tuple(
        Transaction(kind=kind, amount=AMOUNT) for kind in (Kind.AUTHORISATION, Kind.CAPTURE)
    )
    voided = given(Payment, "o", VOIDING).when(Payment.voided).then([PaymentVoided()])
    assert [one.kind for one in voided.transactions] == [Kind.AUTHORISATION, Kind.VOID]


def test_a_gateway_that_is_still_deciding_is_waited_for() -> None:
    waiting = given(Payment, "o", [REQUESTED]).when(Payment.await_verdict).then([AWAITED])
    assert (waiting.status, waiting.awaiting) == (Status.REQUESTED, True)
    given(Payment, "o", [REQUESTED, AWAITED]).when(Payment.await_verdict).then_nothing()


def test_a_verdict_that_was_waited_for_counts() -> None:
    given(Payment, "o", [REQUESTED, AWAITED]).when(Payment.authorised).then([AUTHORISED])
    given(Payment, "o", [REQUESTED, AWAITED, CONFIRMED]).when(Payment.authorised).then([AUTHORISED, CaptureStarted()])
    given(Payment, "o", [REQUESTED, AWAITED]).when(fail).then([FAILED])


@pytest.mark.parametrize("past", [[], [REQUESTED, AUTHORISED], [REQUESTED, FAILED], CAPTURED])
def test_only_a_payment_that_was_asked_for_is_waited_for(past: list[PaymentEvent]) -> None:
    given(Payment, "o", past).when(Payment.await_verdict).then_nothing()


def test_a_cancelled_order_does_not_wait_for_the_verdict() -> None:
    given(Payment, "o", [REQUESTED, AWAITED]).when(Payment.cancel).then([CANCELLED, GIVEN_UP])
    given(Payment, "o", [REQUESTED, CANCELLED]).when(Payment.await_verdict).then([AWAITED, GIVEN_UP])


@pytest.mark.parametrize("past", [[REQUESTED, FAILED], [REQUESTED, AWAITED, CANCELLED, GIVEN_UP]])
def test_money_that_is_held_too_late_is_given_up_again(past: list[PaymentEvent]) -> None:
    late = given(Payment, "o", past).when(Payment.authorised)
    payment = late.then([ApprovedTooLate()])
    assert (payment.status, payment.transactions) == (Status.FAILED, ())
    assert list(ask_gateway(payment, ApprovedTooLate())) == [Call(Void(order_id="o"))]
    given(Payment, "o", past).when(fail).then_nothing()


@pytest.mark.parametrize(
    ("event", "calls"),
    [
        (REQUESTED, [Call(Authorise(order_id="o", amount=AMOUNT))]),
        (GIVEN_UP, [Call(Void(order_id="o"))]),
        (FAILED, []),
        (AWAITED, []),
        (AUTHORISED, []),
    ],
)
def test_the_gateway_is_asked_for_what_there_is_to_do(event: PaymentEvent, calls: list[Call]) -> None:
    payment = given(Payment, "o", [REQUESTED]).state
    payment.evolve(event)
    assert list(ask_gateway(payment, event)) == calls


NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
CARD = MethodRegistered(token="tok_1", label="card ending in 4242", expires_at=NOW)


def register(method: PaymentMethod) -> None:
    method.register(token="tok_1", label="card ending in 4242", expires_at=NOW)


def test_a_forgotten_customer_has_no_method_and_gets_none() -> None:
    method = given(PaymentMethod, "ann", [CARD]).when(PaymentMethod.forget).then([MethodForgotten()])
    assert (method.token, method.label, method.expires_at) == ("", "", None)
    given(PaymentMethod, "ann", [MethodForgotten()]).when(PaymentMethod.forget).then_nothing()
    given(PaymentMethod, "ann", [MethodForgotten()]).when(register).then_raises(Rejected)


def test_a_method_is_kept_until_another_replaces_it() -> None:
    assert given(PaymentMethod, "ann").when(register).then([CARD]).token == "tok_1"
    given(PaymentMethod, "ann", [CARD]).when(register).then_nothing()
    other = MethodRegistered(token="tok_2", label="", expires_at=None)
    assert given(PaymentMethod, "ann", [other]).when(register).then([CARD]).label == "card ending in 4242"


def test_a_method_is_good_until_it_expires() -> None:
    card = given(PaymentMethod, "ann", [CARD]).state
    assert not card.has_expired(NOW - timedelta(seconds=1))
    assert card.has_expired(NOW)


def test_a_method_without_an_end_and_one_that_is_not_there_do_not_expire() -> None:
    lasting = MethodRegistered(token="tok_1", label="", expires_at=None)
    assert not given(PaymentMethod, "ann", [lasting]).state.has_expired(NOW)
    assert not given(PaymentMethod, "ann").state.has_expired(NOW)
    assert not given(PaymentMethod, "ann", [CARD, MethodForgotten()]).state.has_expired(NOW)
