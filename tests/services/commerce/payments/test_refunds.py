"""Refunds: of parts, of all that is left, and as they were before there were parts."""

from typing import Any

import pytest
from commerce.money.v1.money_pb2 import Money as WireMoney
from commerce.payments.v1 import payments_events_pb2 as events
from commerce.payments.v2 import payments_events_pb2 as events2
from treaty.commits.codec import Newer
from treaty.domain import Call, Invalid, Rejected
from treaty.testing.scenarios import given

from services.commerce.money import Money
from services.commerce.payments import application
from services.commerce.payments.application import ask_gateway
from services.commerce.payments.domain.events import (
    CaptureStarted,
    OrderCancelled,
    OrderConfirmed,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentEvent,
    PaymentFailed,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    RefundRefused,
    RefundStarted,
    VoidStarted,
)
from services.commerce.payments.domain.payment import CANCELLATION, Kind, Payment, Refund, Status, Transaction
from services.commerce.payments.publishing import publish
from services.commerce.payments.storage import COMMANDS, PAYMENTS


def gbp(minor_units: int) -> Money:
    return Money(minor_units, "GBP")


def started(refund_id: str, minor_units: int) -> RefundStarted:
    return RefundStarted(refund_id=refund_id, amount=gbp(minor_units))


def done(refund_id: str, minor_units: int) -> PaymentRefunded:
    return PaymentRefunded(refund_id=refund_id, amount=gbp(minor_units))


AUTHORISED: list[PaymentEvent] = [PaymentRequested(amount=gbp(500), customer_id="ann"), PaymentAuthorised()]
CAPTURING: list[PaymentEvent] = [*AUTHORISED, OrderConfirmed(), CaptureStarted()]
CAPTURED: list[PaymentEvent] = [*CAPTURING, PaymentCaptured()]
VOIDED: list[PaymentEvent] = [*AUTHORISED, OrderCancelled(), VoidStarted(), PaymentVoided()]
IN_PART: list[PaymentEvent] = [*CAPTURED, started("r-1", 200), done("r-1", 200)]
WHOLE: list[PaymentEvent] = [*IN_PART, started("r-2", 300), done("r-2", 300)]
CANCELLED_REFUND = started(CANCELLATION, 500)


def refund(payment: Payment, refund_id: str = "r-1", amount: Money = gbp(200)) -> None:  # noqa: B008 - frozen
    payment.refund(refund_id, amount)


def test_a_part_of_the_captured_money_is_given_back() -> None:
    asked = given(Payment, "o", CAPTURED).when(refund).then([started("r-1", 200)])
    assert (asked.left, asked.given_back, asked.status) == (gbp(300), gbp(0), Status.CAPTURED)
    past = [*CAPTURED, started("r-1", 200)]
    back = given(Payment, "o", past).when(lambda payment: payment.refunded("r-1")).then([done("r-1", 200)])
    assert (back.left, back.given_back, back.status) == (gbp(300), gbp(200), Status.CAPTURED)
    assert back.transactions[-1] == Transaction(kind=Kind.REFUND, amount=gbp(200), refund_id="r-1")


def test_a_payment_is_refunded_when_all_parts_are_given_back() -> None:
    past = [*IN_PART, started("r-2", 300)]
    back = given(Payment, "o", past).when(lambda payment: payment.refunded("r-2")).then([done("r-2", 300)])
    assert (back.left, back.given_back, back.status) == (gbp(0), gbp(500), Status.REFUNDED)


def test_parts_may_be_given_back_in_another_order_than_they_were_asked_for() -> None:
    past = [*CAPTURED, started("r-1", 200), started("r-2", 300), done("r-2", 300)]
    back = given(Payment, "o", past).when(lambda payment: payment.refunded("r-1")).then([done("r-1", 200)])
    assert back.status is Status.REFUNDED


@pytest.mark.parametrize("past", [CAPTURED, [*CAPTURED, started("r-1", 200)], IN_PART, WHOLE])
def test_no_more_is_given_back_than_is_left(past: list[PaymentEvent]) -> None:
    left = given(Payment, "o", past).state.left
    assert left is not None
    more = given(Payment, "o", past).when(lambda payment: refund(payment, "r-3", gbp(left.minor_units + 1)))
    more.then_raises(Rejected, "REFUND_TOO_LARGE")


@pytest.mark.parametrize("past", [[], AUTHORISED, CAPTURING, VOIDED])
def test_what_was_not_taken_is_not_given_back(past: list[PaymentEvent]) -> None:
    given(Payment, "o", past).when(refund).then_raises(Rejected, "NOT_CAPTURED")


@pytest.mark.parametrize("amount", [gbp(0), gbp(-1), Money(200, "EUR")])
def test_only_an_amount_of_the_money_that_was_taken_is_given_back(amount: Money) -> None:
    refused = given(Payment, "o", CAPTURED).when(lambda payment: refund(payment, amount=amount))
    assert refused.then_raises(Invalid).field == "amount"


@pytest.mark.parametrize("past", [[*CAPTURED, started("r-1", 200)], IN_PART, WHOLE])
def test_a_refund_is_asked_for_once_and_is_always_the_same(past: list[PaymentEvent]) -> None:
    given(Payment, "o", past).when(refund).then_nothing()
    differs = given(Payment, "o", past).when(lambda payment: refund(payment, amount=gbp(201)))
    differs.then_raises(Invalid, "REFUND_DIFFERS")


@pytest.mark.parametrize(("past", "refund_id"), [(IN_PART, "r-1"), (CAPTURED, "r-9"), ([], CANCELLATION)])
def test_a_refund_is_made_once_and_only_if_it_was_asked_for(past: list[PaymentEvent], refund_id: str) -> None:
    given(Payment, "o", past).when(lambda payment: payment.refunded(refund_id)).then_nothing()


REFUSED = RefundRefused(refund_id="r-1", reason="no such account")


def test_the_money_of_a_refused_refund_is_left_and_the_refund_can_be_asked_for_once_more() -> None:
    asked = [*CAPTURED, started("r-1", 200)]
    refused = given(Payment, "o", asked).when(lambda payment: payment.refund_refused("r-1", "no such account"))
    state = refused.then([REFUSED])
    assert (state.left, state.given_back, state.status) == (gbp(500), gbp(0), Status.CAPTURED)
    given(Payment, "o", [*asked, REFUSED]).when(lambda payment: payment.refund_refused("r-1", "again")).then_nothing()
    again = given(Payment, "o", [*asked, REFUSED]).when(refund).then([started("r-1", 200)])
    assert list(ask_gateway(again, started("r-1", 200))) == [
        Call(application.Refund(order_id="o", amount=gbp(200), refund_id="r-1"))
    ]
    done_now = given(Payment, "o", [*asked, REFUSED, started("r-1", 200)]).when(lambda p: p.refunded("r-1"))
    assert done_now.then([done("r-1", 200)]).given_back == gbp(200)


def test_a_refused_refund_is_announced() -> None:
    payment = given(Payment, "o", [*CAPTURED, started("r-1", 200), REFUSED]).state
    money = WireMoney(minor_units=200, currency="GBP")
    assert list(publish(payment, REFUSED)) == [
        events.RefundRefused(order_id="o", refund_id="r-1", amount=money, reason="no such account", customer_id="ann")
    ]


def test_captured_money_of_a_cancelled_order_is_given_back() -> None:
    given(Payment, "o", CAPTURED).when(Payment.cancel).then([OrderCancelled(), CANCELLED_REFUND])
    past = [*CAPTURED, OrderCancelled(), CANCELLED_REFUND]
    back = given(Payment, "o", past).when(lambda payment: payment.refunded(CANCELLATION))
    assert back.then([done(CANCELLATION, 500)]).status is Status.REFUNDED


def test_a_cancellation_during_the_capture_waits_for_it_and_then_refunds() -> None:
    given(Payment, "o", CAPTURING).when(Payment.cancel).then([OrderCancelled()])
    past = [*CAPTURING, OrderCancelled()]
    given(Payment, "o", past).when(Payment.captured).then([PaymentCaptured(), CANCELLED_REFUND])


@pytest.mark.parametrize("past", [IN_PART, [*CAPTURED, started("r-1", 200)]])
def test_a_cancellation_gives_back_what_is_left(past: list[PaymentEvent]) -> None:
    given(Payment, "o", past).when(Payment.cancel).then([OrderCancelled(), started(CANCELLATION, 300)])


def test_a_cancellation_of_what_was_given_back_gives_nothing_back() -> None:
    given(Payment, "o", WHOLE).when(Payment.cancel).then([OrderCancelled()])


def test_the_gateway_is_asked_for_each_refund_by_its_name() -> None:
    payment = given(Payment, "o", [*IN_PART, started("r-2", 300)]).state
    call = Call(application.Refund(order_id="o", amount=gbp(300), refund_id="r-2"))
    assert list(ask_gateway(payment, started("r-2", 300))) == [call]


STORED: list[dict[str, Any]] = [
    {"type": "payment-requested", "v": 1, "data": {"amount": {"minor_units": 500, "currency": "GBP"}}},
    *({"type": name, "v": 1, "data": {}} for name in ("payment-authorised", "order-confirmed", "capture-started")),
    *({"type": name, "v": 1, "data": {}} for name in ("payment-captured", "order-cancelled", "refund-started")),
]
"""A payment that was cancelled before refunds had names and amounts."""


def test_a_refund_of_version_1_is_one_of_everything() -> None:
    asked = PAYMENTS.fold("o", STORED)
    assert asked.refunds == (Refund(refund_id=CANCELLATION, amount=gbp(500)),)
    assert (asked.left, asked.status) == (gbp(0), Status.CAPTURED)
    back = PAYMENTS.fold("o", [*STORED, {"type": "payment-refunded", "v": 1, "data": {}}])
    assert (back.given_back, back.status) == (gbp(500), Status.REFUNDED)
    assert back.transactions[-1] == Transaction(kind=Kind.REFUND, amount=gbp(500), refund_id=CANCELLATION)


def test_a_refund_that_was_started_in_version_1_ends_in_version_2() -> None:
    payment = PAYMENTS.fold("o", STORED)
    payment.refunded(CANCELLATION)
    (event,) = payment.take_recorded()
    assert event == done(CANCELLATION, 500)
    assert PAYMENTS.events.encode(event)["v"] == 2


def test_a_call_of_version_1_is_that_of_a_cancellation() -> None:
    data = {"order_id": "o", "amount": {"minor_units": 500, "currency": "GBP"}}
    call = COMMANDS.decode({"type": "refund", "v": 1, "data": data})
    assert call == application.Refund(order_id="o", amount=gbp(500), refund_id=CANCELLATION)


def test_a_refund_of_a_version_to_come_is_not_guessed_at() -> None:
    with pytest.raises(Newer):
        PAYMENTS.events.decode({"type": "refund-started", "v": 3, "data": {}})


def wire(minor_units: int) -> WireMoney:
    return WireMoney(minor_units=minor_units, currency="GBP")


def announced(past: list[PaymentEvent]) -> list[Any]:
    return list(publish(given(Payment, "o", past).state, past[-1]))


def told(refund_id: str, amount: int, refunded: int, remaining: int) -> events2.PaymentRefunded:
    return events2.PaymentRefunded(
        order_id="o",
        refund_id=refund_id,
        amount=wire(amount),
        refunded=wire(refunded),
        remaining=wire(remaining),
        customer_id="ann",
    )


EVERYTHING = events.PaymentRefunded(order_id="o", amount=wire(500), customer_id="ann")


def test_a_part_is_announced_in_version_2_only() -> None:
    assert announced(IN_PART) == [told("r-1", 200, 200, 300)]


def test_the_last_part_is_announced_in_both_versions() -> None:
    assert announced(WHOLE) == [told("r-2", 300, 500, 0), EVERYTHING]


def test_old_and_new_consumers_each_read_their_version() -> None:
    new, old = (message.SerializeToString() for message in announced(WHOLE))
    assert events.PaymentRefunded.FromString(old) == EVERYTHING
    assert events2.PaymentRefunded.FromString(new).remaining == wire(0)


def test_a_stored_refund_of_version_1_is_announced_as_one_of_everything() -> None:
    event = PaymentRefunded(refund_id=CANCELLATION, amount=None)
    started = RefundStarted(refund_id=CANCELLATION, amount=None)
    assert announced([*CAPTURED, OrderCancelled(), started, event]) == [told(CANCELLATION, 500, 500, 0), EVERYTHING]


def test_a_payment_that_failed_has_nothing_to_give_back() -> None:
    failed = [AUTHORISED[0], PaymentFailed(reason="declined", reversal=False)]
    payment = given(Payment, "o", failed).when(Payment.cancel).then([OrderCancelled()])
    assert (payment.left, payment.given_back) == (None, gbp(0))
