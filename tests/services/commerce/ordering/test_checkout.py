"""The checkout: facts in any order, one outcome."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from treaty.domain import Call
from treaty.testing.scenarios import given_facts

from services.commerce.ordering.sagas.checkout import (
    AnswerOverdue,
    CancelOrder,
    Checkout,
    CheckoutFact,
    CheckoutStarted,
    ConfirmOrder,
    OrderEnded,
    PaymentAnswered,
    StockAnswered,
    StockLost,
    checkout,
)

BY = datetime(2024, 5, 6, tzinfo=UTC) + timedelta(minutes=1)
WITHIN = timedelta(minutes=1)
STARTED = CheckoutStarted(order_id="o", answer_by=BY, answer_within=WITHIN)
STOCK, NO_STOCK = (
    StockAnswered(order_id="o", allocated=True),
    StockAnswered(order_id="o", allocated=False, reason="out of stock"),
)
PAID, NOT_PAID = (
    PaymentAnswered(order_id="o", authorised=True),
    PaymentAnswered(order_id="o", authorised=False, reason="declined"),
)
OVERDUE, ENDED = AnswerOverdue(order_id="o"), OrderEnded(order_id="o")
CONFIRM = ConfirmOrder(order_id="o")
LOST = StockLost(order_id="o")
NOT_HELD = CancelOrder(order_id="o", reason="the stock was not held any longer")


def test_a_started_checkout_sets_its_deadline() -> None:
    given_facts(checkout, Checkout()).when(STARTED).then([Call(OVERDUE, after=WITHIN)])
    stored_earlier = CheckoutStarted(order_id="o", answer_by=BY)
    given_facts(checkout, Checkout()).when(stored_earlier).then([Call(OVERDUE, due=BY)])


def test_one_answer_alone_decides_nothing_if_it_is_yes() -> None:
    given_facts(checkout, Checkout(), [STARTED]).when(STOCK).then_nothing()
    given_facts(checkout, Checkout(), [STARTED]).when(PAID).then_nothing()


def test_both_answers_confirm() -> None:
    given_facts(checkout, Checkout(), [STARTED, STOCK]).when(PAID).then([CONFIRM])
    given_facts(checkout, Checkout(), [PAID]).when(STOCK).then([CONFIRM])


def test_the_first_no_cancels_with_its_reason() -> None:
    given_facts(checkout, Checkout(), [STARTED]).when(NO_STOCK).then([CancelOrder(order_id="o", reason="out of stock")])
    given_facts(checkout, Checkout(), [STOCK]).when(NOT_PAID).then([CancelOrder(order_id="o", reason="declined")])


@pytest.mark.parametrize(
    ("past", "missing"), [([STARTED], "stock and payment"), ([STARTED, STOCK], "payment"), ([PAID], "stock")]
)
def test_at_the_deadline_the_order_is_cancelled_and_says_what_was_missing(
    past: list[CheckoutFact], missing: str
) -> None:
    reason = f"no answer in time from {missing}"
    given_facts(checkout, Checkout(), past).when(OVERDUE).then([CancelOrder(order_id="o", reason=reason)])


@pytest.mark.parametrize("end", [[STOCK, PAID], [NO_STOCK], [NOT_PAID], [STARTED, OVERDUE], [ENDED]])
@pytest.mark.parametrize("late", [STARTED, STOCK, NO_STOCK, PAID, OVERDUE, ENDED])
def test_after_the_end_nothing_more_is_done(end: list[CheckoutFact], late: CheckoutFact) -> None:
    given_facts(checkout, Checkout(), end).when(late).then_nothing()


@pytest.mark.parametrize("end", [[NO_STOCK], [NOT_PAID], [STARTED, OVERDUE], [ENDED]])
def test_a_payment_that_fails_after_an_order_was_cancelled_changes_nothing(end: list[CheckoutFact]) -> None:
    given_facts(checkout, Checkout(), end).when(NOT_PAID).then_nothing()


@pytest.mark.parametrize("past", [[STARTED], [STARTED, STOCK], [STARTED, STOCK, PAID]])
def test_stock_that_is_lost_cancels_the_order_even_after_it_was_confirmed(past: list[CheckoutFact]) -> None:
    state = given_facts(checkout, Checkout(), past).when(LOST).then([NOT_HELD])
    assert state.ended
    given_facts(checkout, Checkout(), [*past, LOST]).when(LOST).then_nothing()
    given_facts(checkout, Checkout(), [*past, LOST]).when(PAID).then_nothing()


@pytest.mark.parametrize("end", [[NO_STOCK], [NOT_PAID], [STARTED, OVERDUE], [ENDED]])
def test_stock_that_is_lost_after_a_no_is_no_news(end: list[CheckoutFact]) -> None:
    given_facts(checkout, Checkout(), end).when(LOST).then_nothing()


def _told(facts: list[CheckoutFact]) -> tuple[Checkout, list[ConfirmOrder | CancelOrder]]:
    state = Checkout()
    commands: list[ConfirmOrder | CancelOrder] = []
    for fact in facts:
        state, more = checkout(state, fact)
        commands += [command for command in more if not isinstance(command, Call)]
    return state, commands


_arrivals = st.tuples(
    st.sampled_from([STOCK, NO_STOCK]), st.sampled_from([PAID, NOT_PAID]), st.lists(st.just(OVERDUE), max_size=1)
).flatmap(lambda facts: st.permutations([STARTED, facts[0], facts[1], *facts[2]]))


@given(_arrivals, st.data())
def test_every_order_of_arrivals_ends_in_exactly_one_of_confirm_and_cancel(
    facts: list[CheckoutFact], data: st.DataObject
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(facts), max_size=4))
    state, commands = _told([*facts, *repeated])
    assert state.ended
    assert len(commands) == 1
    before_deadline = facts[: facts.index(OVERDUE)] if OVERDUE in facts else facts
    assert (commands == [CONFIRM]) == (STOCK in before_deadline and PAID in before_deadline)


@given(_arrivals, st.integers(0, 4))
def test_an_order_that_ended_elsewhere_gets_at_most_one_command(facts: list[CheckoutFact], place: int) -> None:
    state, commands = _told([*facts[:place], ENDED, *facts[place:]])
    assert state.ended
    assert len(commands) <= 1


def test_a_confirmed_order_whose_pieces_can_no_longer_be_sold_is_cancelled_for_that_reason() -> None:
    spoilt = StockLost(order_id="o", reason="tea passed its last day")
    cancel = CancelOrder(order_id="o", reason="tea passed its last day")
    confirmed = given_facts(checkout, Checkout(), [STARTED, STOCK, PAID])
    confirmed.when(spoilt).then([cancel])
    given_facts(checkout, Checkout(), [STARTED, STOCK, PAID, spoilt]).when(spoilt).then_nothing()


def test_a_confirmed_order_whose_money_could_not_be_taken_is_cancelled_once() -> None:
    cancel = CancelOrder(order_id="o", reason=NOT_PAID.reason)
    given_facts(checkout, Checkout(), [STARTED, STOCK, PAID]).when(NOT_PAID).then([cancel])
    given_facts(checkout, Checkout(), [STARTED, STOCK, PAID, NOT_PAID]).when(NOT_PAID).then_nothing()
    given_facts(checkout, Checkout(), [STARTED, STOCK, PAID, NOT_PAID]).when(LOST).then_nothing()
