"""The order, in its own words."""

from dataclasses import replace

import pytest
from treaty.domain import Invalid, Rejected
from treaty.testing.scenarios import given

from services.commerce.money import LIMIT, Money
from services.commerce.ordering.domain.events import (
    AddressChanged,
    CancellationRefused,
    CancellationRequested,
    DraftChanged,
    DraftStarted,
    OrderCancelled,
    OrderDispatched,
    OrderPlaced,
    ShipmentPrepared,
)
from services.commerce.ordering.domain.order import Order
from services.commerce.ordering.domain.pricing import Delivery, Method, Tier
from services.commerce.ordering.domain.status import Status
from tests.services.commerce.ordering.orders import (
    CONFIRMED,
    DISPATCHED,
    HOME,
    LATER,
    NOW,
    completed,
    delivered,
    gbp,
    line,
    place,
    placed,
)

CANCELLED = OrderCancelled(reason="too late")
ASKED = CancellationRequested(reason="too late")


def test_an_order_costs_its_lines_its_delivery_and_the_tax_on_both() -> None:
    lines = (line("tea", 2, 150), line("cup", 1, 499))
    britain = replace(HOME, country="GB")
    order = given(Order, "o").when(place(*lines, delivery=britain)).then([placed(*lines, delivery=britain)])
    assert order.totals is not None
    assert (order.totals.subtotal, order.totals.shipping, order.totals.tax) == (gbp(799), gbp(400), gbp(240))
    assert (order.status, order.totals.total, order.customer_id) == (Status.PENDING, gbp(1439), "ann")


@pytest.mark.parametrize(
    ("tier", "method", "charge"),
    [
        (Tier.STANDARD, Method.STANDARD, 400),
        (Tier.STANDARD, Method.OVERNIGHT, 1900),
        (Tier.GOLD, Method.STANDARD, 0),
        (Tier.GOLD, Method.EXPRESS, 900),
        (Tier.VIP, Method.EXPRESS, 0),
        (Tier.VIP, Method.OVERNIGHT, 1900),
    ],
)
def test_the_delivery_costs_what_tier_and_method_say(tier: Tier, method: Method, charge: int) -> None:
    delivery = replace(HOME, method=method)
    order = given(Order, "o").when(place(line(), tier=tier, delivery=delivery)).state
    assert order.totals is not None
    assert (order.totals.shipping, order.tier) == (gbp(charge), tier)


def test_a_large_order_is_delivered_free() -> None:
    order = given(Order, "o").when(place(line(quantity=1, price=5000))).state
    assert order.totals is not None
    assert order.totals.shipping == gbp(0)


def test_an_order_may_be_placed_at_the_expected_total() -> None:
    given(Order, "o").when(place(line(), expected=gbp(700))).then([placed(line())])


def test_an_order_without_lines_is_refused() -> None:
    assert given(Order, "o").when(place()).then_raises(Invalid).field == "lines"


def test_a_sku_in_two_lines_is_refused() -> None:
    assert given(Order, "o").when(place(line(), line(quantity=5))).then_raises(Invalid).field == "lines"


def test_mixed_currencies_are_refused() -> None:
    mixed = place(line("tea"), line("cup", currency="EUR"))
    assert given(Order, "o").when(mixed).then_raises(Invalid).field == "lines.unit_price.currency"


@pytest.mark.parametrize("expected", [gbp(699), Money(700, "EUR")])
def test_a_total_that_does_not_fit_is_refused(expected: Money) -> None:
    refused = given(Order, "o").when(place(line(), expected=expected)).then_raises(Invalid, "TOTAL_DIFFERS")
    assert refused.field == "total"


def test_a_total_beyond_all_money_is_refused() -> None:
    given(Order, "o").when(place(line(price=LIMIT, quantity=2))).then_raises(Invalid)


def test_a_price_that_changed_since_the_customer_saw_it_is_refused_with_the_new_one() -> None:
    stale = place(line("tea", price=150), line("cup", price=499), prices={"tea": gbp(160), "cup": gbp(499)})
    refused = given(Order, "o").when(stale).then_raises(Rejected, "PRICE_CHANGED")
    assert refused.details == {"tea": "160"}
    assert "tea costs 1.60 GBP" in refused.message


def test_what_is_not_offered_is_refused() -> None:
    given(Order, "o").when(place(line(), prices={})).then_raises(Rejected, "NOT_OFFERED")


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


DRAFT = DraftStarted(customer_id="ann", lines=(line(),))


def test_a_draft_is_changed_until_it_is_placed() -> None:
    started = given(Order, "o").when(lambda order: order.draft(customer_id="ann", lines=[line()])).then([DRAFT])
    assert started.status is Status.DRAFT
    cup = line("cup")
    changed = given(Order, "o", [DRAFT]).when(
        lambda order: order.change_draft(put=[cup], remove=["tea"], delivery=HOME)
    )
    changed.then([DraftChanged(lines=(cup,), delivery=HOME)])


def test_changing_a_draft_to_what_it_is_changes_nothing() -> None:
    given(Order, "o", [DRAFT]).when(
        lambda order: order.change_draft(put=[line()], remove=[], delivery=None)
    ).then_nothing()


def _place_draft(order: Order) -> None:
    order.place_draft(tier=Tier.STANDARD, prices={"tea": gbp(150)}, expected=None, placed_at=NOW, answer_by=LATER)


def test_a_draft_is_placed_as_it_has_become() -> None:
    ready = DraftChanged(lines=(line(),), delivery=HOME)
    given(Order, "o", [DRAFT, ready]).when(_place_draft).then([placed()])


def test_a_draft_without_an_address_is_not_placed() -> None:
    given(Order, "o", [DRAFT]).when(_place_draft).then_raises(Rejected, "ADDRESS_MISSING")


def test_a_placed_order_is_no_draft() -> None:
    given(Order, "o", [placed()]).when(
        lambda order: order.change_draft(put=[], remove=["tea"], delivery=None)
    ).then_raises(Rejected, "ORDER_PENDING")


def test_a_draft_is_thrown_away_at_once() -> None:
    given(Order, "o", [DRAFT]).when(lambda order: order.cancel("too late")).then([CANCELLED])


def test_a_pending_order_goes_to_another_address_in_the_same_country() -> None:
    there = replace(HOME, address="ref-2")
    order = given(Order, "o", [placed()])
    order.when(lambda order: order.change_address(there)).then([AddressChanged(delivery=there)])
    given(Order, "o", [placed()]).when(lambda order: order.change_address(HOME)).then_nothing()
    abroad = Delivery(method=Method.STANDARD, country="DE", address="ref-2")
    order = given(Order, "o", [placed()])
    order.when(lambda order: order.change_address(abroad)).then_raises(Rejected, "COUNTRY_DIFFERS")


@pytest.mark.parametrize("more", [[], [ShipmentPrepared()], [ASKED], [ASKED, CancellationRefused(reason="too late")]])
def test_the_address_is_final_from_the_confirmation_on_because_shipping_may_have_read_it(more: list[object]) -> None:
    there = replace(HOME, address="ref-2")
    order = given(Order, "o", [placed(), CONFIRMED, *more])
    order.when(lambda order: order.change_address(there)).then_raises(Rejected, "SHIPMENT_PREPARED")


def test_an_order_on_its_way_goes_where_it_goes() -> None:
    past = [placed(), CONFIRMED, DISPATCHED]
    given(Order, "o", past).when(lambda order: order.change_address(HOME)).then_raises(Rejected, "ORDER_DISPATCHED")


def test_a_pending_order_is_confirmed() -> None:
    assert given(Order, "o", [placed()]).when(Order.confirm).then([CONFIRMED]).status is Status.CONFIRMED


def test_confirming_twice_is_no_error() -> None:
    given(Order, "o", [placed(), CONFIRMED]).when(Order.confirm).then_nothing()


def test_a_cancelled_order_is_not_confirmed() -> None:
    given(Order, "o", [placed(), CANCELLED]).when(Order.confirm).then_raises(Rejected, "ORDER_CANCELLED")


def test_a_pending_order_is_cancelled_at_once() -> None:
    order = given(Order, "o", [placed()]).when(lambda order: order.cancel("too late")).then([CANCELLED])
    assert (order.status, order.reason) == (Status.CANCELLED, "too late")


def test_a_confirmed_order_is_cancelled_once_its_shipment_is_stopped() -> None:
    past: list[object] = [placed(), CONFIRMED]
    asked = given(Order, "o", past).when(lambda order: order.cancel("too late")).then([ASKED])
    assert asked.status is Status.CANCELLING
    given(Order, "o", [*past, ASKED]).when(lambda order: order.shipment_stopped("")).then([CANCELLED])


def test_a_shipment_that_cannot_be_stopped_goes_on() -> None:
    past = [placed(), CONFIRMED, ASKED]
    order = given(Order, "o", past).when(lambda order: order.shipment_not_stopped("it has left"))
    assert order.then([CancellationRefused(reason="it could not be cancelled: it has left")]).status is Status.CONFIRMED


def test_an_order_that_left_while_it_was_being_cancelled_is_on_its_way() -> None:
    past = [placed(), CONFIRMED, ASKED, DISPATCHED]
    order = given(Order, "o", past).when(lambda order: order.shipment_not_stopped("it has left")).then_nothing()
    assert order.status is Status.DISPATCHED


def test_cancelling_twice_keeps_the_first_reason() -> None:
    for past in ([placed(), CANCELLED], [placed(), CONFIRMED, ASKED]):
        order = given(Order, "o", past).when(lambda order: order.cancel("again")).then_nothing()
        assert order.reason == "too late"


def test_a_cancellation_without_words_is_the_customers() -> None:
    reason = "cancelled by the customer"
    given(Order, "o", [placed()]).when(lambda order: order.cancel("")).then([OrderCancelled(reason=reason)])


@pytest.mark.parametrize(
    ("past", "reason"), [([placed(), CONFIRMED, DISPATCHED], "ORDER_DISPATCHED"), (delivered(), "ORDER_COMPLETED")]
)
def test_what_has_left_is_not_cancelled(past: list[object], reason: str) -> None:
    given(Order, "o", past).when(lambda order: order.cancel("x")).then_raises(Rejected, reason)


def _dispatch(order: Order) -> None:
    order.dispatched(carrier="Parcels", tracking_number="T1", at=NOW)


def test_a_shipment_is_followed_to_its_end() -> None:
    given(Order, "o", [placed(), CONFIRMED]).when(Order.shipment_prepared).then([ShipmentPrepared()])
    given(Order, "o", [placed(), CONFIRMED]).when(_dispatch).then([DISPATCHED])
    order = given(Order, "o", [placed(), CONFIRMED, DISPATCHED]).when(lambda order: order.delivered(NOW))
    assert order.then([completed()]).status is Status.COMPLETED


def test_an_order_that_cannot_be_delivered_is_cancelled() -> None:
    order = given(Order, "o", [placed(), CONFIRMED, DISPATCHED]).when(
        lambda order: order.not_delivered("no such house")
    )
    order.then([OrderCancelled(reason="it could not be delivered: no such house")])


@pytest.mark.parametrize("past", [[placed()], [placed(), CONFIRMED], [placed(), CONFIRMED, ShipmentPrepared()]])
def test_an_order_whose_shipment_was_stopped_in_shipping_is_cancelled(past: list[object]) -> None:
    order = given(Order, "o", past).when(lambda order: order.shipment_stopped("the goods are broken"))
    order.then([OrderCancelled(reason="its shipment was stopped: the goods are broken")])


def test_an_order_that_asked_to_stop_its_shipment_keeps_its_own_reason_whichever_answer_is_first() -> None:
    asked = [placed(), CONFIRMED, ASKED]
    given(Order, "o", asked).when(lambda order: order.shipment_stopped("any")).then([CANCELLED])
    given(Order, "o", [*asked, CANCELLED]).when(lambda order: order.shipment_stopped("any")).then_nothing()
    given(Order, "o", [*asked, CANCELLED]).when(lambda order: order.shipment_stopped("")).then_nothing()


@pytest.mark.parametrize("past", [delivered(), [placed(), CANCELLED], []])
def test_news_after_the_end_or_before_the_beginning_changes_nothing(past: list[OrderPlaced]) -> None:
    for news in (Order.shipment_prepared, _dispatch, lambda o: o.delivered(NOW), lambda o: o.not_delivered("x")):
        given(Order, "o", past).when(news).then_nothing()
    given(Order, "o", past).when(lambda o: o.shipment_stopped("x")).then_nothing()


def test_dispatch_is_noted_whatever_was_wanted_meanwhile() -> None:
    kinds = [type(e) for e in given(Order, "o", [placed(), CONFIRMED, ASKED]).when(_dispatch).events]
    assert kinds == [OrderDispatched]
