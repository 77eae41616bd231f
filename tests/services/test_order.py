"""The order, in its own words."""

from datetime import UTC, datetime, timedelta

import pytest
from treaty.domain import Invalid, Rejected
from treaty.testing.scenarios import given

from services.commerce.money import LIMIT, Money
from services.commerce.ordering.domain import Line, Order, OrderCancelled, OrderConfirmed, OrderPlaced, Status

NOW = datetime(2024, 5, 6, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


def line(sku: str = "tea", quantity: int = 2, price: int = 150, currency: str = "GBP") -> Line:
    return Line(sku=sku, quantity=quantity, unit_price=Money(price, currency))


def placed(*lines: Line) -> OrderPlaced:
    lines = lines or (line(),)
    price = sum(one.price.minor_units for one in lines)
    return OrderPlaced(customer_id="ann", lines=lines, total=Money(price, "GBP"), placed_at=NOW, answer_by=LATER)


def place(*lines: Line, expected: Money | None = None):  # type: ignore[no-untyped-def]
    return lambda order: order.place(customer_id="ann", lines=lines, expected=expected, placed_at=NOW, answer_by=LATER)


CONFIRMED, CANCELLED = OrderConfirmed(), OrderCancelled(reason="too late")


def test_an_order_is_placed_at_the_price_of_its_lines() -> None:
    lines = (line("tea", 2, 150), line("cup", 1, 499))
    order = given(Order, "o").when(place(*lines, expected=Money(799, "GBP"))).then([placed(*lines)])
    assert (order.status, order.total, order.customer_id) == (Status.PENDING, Money(799, "GBP"), "ann")


def test_an_order_may_be_placed_without_an_expectation() -> None:
    given(Order, "o").when(place(line())).then([placed(line())])


def test_an_order_may_cost_nothing() -> None:
    given(Order, "o").when(place(line(price=0))).then([placed(line(price=0))])


def test_an_order_without_lines_is_refused() -> None:
    assert given(Order, "o").when(place()).then_raises(Invalid).field == "lines"


def test_a_sku_in_two_lines_is_refused() -> None:
    assert given(Order, "o").when(place(line(), line(quantity=5))).then_raises(Invalid).field == "lines"


def test_mixed_currencies_are_refused() -> None:
    mixed = place(line("tea"), line("cup", currency="EUR"))
    assert given(Order, "o").when(mixed).then_raises(Invalid).field == "lines.unit_price.currency"


@pytest.mark.parametrize("expected", [Money(299, "GBP"), Money(300, "EUR")])
def test_a_total_that_does_not_fit_is_refused(expected: Money) -> None:
    refused = given(Order, "o").when(place(line(), expected=expected)).then_raises(Invalid, "TOTAL_DIFFERS")
    assert refused.field == "total"


def test_a_total_beyond_all_money_is_refused() -> None:
    given(Order, "o").when(place(line(price=LIMIT, quantity=2))).then_raises(Invalid)


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_line_needs_pieces(quantity: int) -> None:
    with pytest.raises(Invalid) as refused:
        line(quantity=quantity)
    assert refused.value.field == "lines.quantity"


def test_a_price_below_nothing_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        line(price=-1)
    assert refused.value.field == "lines.unit_price"


def test_an_order_is_placed_once() -> None:
    given(Order, "o", [placed()]).when(place(line())).then_raises(Rejected, "ORDER_PLACED_ALREADY")


def test_a_pending_order_is_confirmed() -> None:
    assert given(Order, "o", [placed()]).when(Order.confirm).then([CONFIRMED]).status is Status.CONFIRMED


def test_confirming_twice_is_no_error() -> None:
    given(Order, "o", [placed(), CONFIRMED]).when(Order.confirm).then_nothing()


def test_a_cancelled_order_is_not_confirmed() -> None:
    given(Order, "o", [placed(), CANCELLED]).when(Order.confirm).then_raises(Rejected, "ORDER_CANCELLED")


@pytest.mark.parametrize("past", [[placed()], [placed(), CONFIRMED]])
def test_a_pending_or_confirmed_order_is_cancelled(past: list[OrderPlaced]) -> None:
    order = given(Order, "o", past).when(lambda order: order.cancel("too late")).then([CANCELLED])
    assert (order.status, order.reason) == (Status.CANCELLED, "too late")


def test_cancelling_twice_keeps_the_first_reason() -> None:
    order = given(Order, "o", [placed(), CANCELLED]).when(lambda order: order.cancel("again")).then_nothing()
    assert order.reason == "too late"


def test_a_cancellation_without_words_is_the_customers() -> None:
    reason = "cancelled by the customer"
    given(Order, "o", [placed()]).when(lambda order: order.cancel("")).then([OrderCancelled(reason=reason)])
