"""The payment, in its own words: what the order wants and where the money is may change in any order."""

import pytest
from treaty.testing.scenarios import given

from services.commerce.money import Money
from services.commerce.payments.domain import (
    CaptureStarted,
    OrderCancelled,
    OrderConfirmed,
    Payment,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentEvent,
    PaymentFailed,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    RefundStarted,
    Status,
    VoidStarted,
)

AMOUNT = Money(500, "GBP")
REQUESTED = PaymentRequested(amount=AMOUNT)
AUTHORISED, CONFIRMED, CANCELLED = PaymentAuthorised(), OrderConfirmed(), OrderCancelled()
FAILED = PaymentFailed(reason="declined", reversal=False)
CAPTURING = [REQUESTED, AUTHORISED, CONFIRMED, CaptureStarted()]
CAPTURED = [*CAPTURING, PaymentCaptured()]
VOIDING = [REQUESTED, AUTHORISED, CANCELLED, VoidStarted()]
REFUNDING = [*CAPTURED, CANCELLED, RefundStarted()]


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


@pytest.mark.parametrize("command", [Payment.authorised, fail])
@pytest.mark.parametrize("past", [[], [REQUESTED, FAILED], [REQUESTED, AUTHORISED], VOIDING, CAPTURED])
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


def test_captured_money_of_a_cancelled_order_is_refunded() -> None:
    given(Payment, "o", CAPTURED).when(Payment.cancel).then([CANCELLED, RefundStarted()])
    given(Payment, "o", REFUNDING).when(Payment.refunded).then([PaymentRefunded()])


def test_a_cancellation_during_the_capture_waits_for_it_and_then_refunds() -> None:
    given(Payment, "o", CAPTURING).when(Payment.cancel).then([CANCELLED])
    given(Payment, "o", [*CAPTURING, CANCELLED]).when(Payment.captured).then([PaymentCaptured(), RefundStarted()])


def test_a_cancellation_wins_over_a_confirmation() -> None:
    given(Payment, "o", [REQUESTED, CONFIRMED, CANCELLED]).when(Payment.authorised).then([AUTHORISED, VoidStarted()])
    given(Payment, "o", VOIDING).when(Payment.confirm).then([CONFIRMED])


@pytest.mark.parametrize(
    ("command", "past"), [(Payment.confirm, [CONFIRMED]), (Payment.cancel, [REQUESTED, CANCELLED])]
)
def test_being_told_twice_is_no_error(command, past: list[PaymentEvent]) -> None:  # type: ignore[no-untyped-def]
    given(Payment, "o", past).when(command).then_nothing()


@pytest.mark.parametrize("command", [Payment.captured, Payment.voided, Payment.refunded])
@pytest.mark.parametrize("past", [[], [REQUESTED], [REQUESTED, AUTHORISED], [REQUESTED, FAILED, CANCELLED]])
def test_what_was_not_asked_of_the_gateway_does_not_happen(command, past: list[PaymentEvent]) -> None:  # type: ignore[no-untyped-def]
    given(Payment, "o", past).when(command).then_nothing()
