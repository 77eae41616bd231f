"""Ordering's edges: what it announces, how it takes what others announce, and what lies on disk from before."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from commerce.catalog.v1 import catalog_events_pb2 as catalog_pb
from commerce.customers.v1 import customers_events_pb2 as customers_pb
from commerce.inventory.v1 import inventory_events_pb2 as inventory_pb
from commerce.money.v1.money_pb2 import Money as WireMoney
from commerce.ordering.v1 import ordering_events_pb2 as pb
from commerce.payments.v1 import payments_events_pb2 as payments_pb
from commerce.payments.v2 import payments_events_pb2 as payments2_pb
from commerce.shipping.v1 import shipping_events_pb2 as shipping_pb
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from treaty.testing.scenarios import assert_folds, carried_out

from services.commerce.ordering import acl
from services.commerce.ordering.application.buyers import NoteTier
from services.commerce.ordering.application.commands import NoteRefund, NoteRefusedRefund, ShipmentNews
from services.commerce.ordering.application.offers import OfferProduct, PriceOffer, StockOffer
from services.commerce.ordering.domain.events import (
    CancellationRefused,
    CancellationRequested,
    DraftStarted,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    ReturnClosed,
    ReturnCompleted,
    ReturnRequested,
)
from services.commerce.ordering.domain.order import Order
from services.commerce.ordering.domain.pricing import Promotion, Tier
from services.commerce.ordering.domain.status import Status
from services.commerce.ordering.publishing import publish
from services.commerce.ordering.sagas.checkout import PaymentAnswered, StockAnswered, StockLost
from services.commerce.ordering.storage import ORDERS
from tests.services.commerce.ordering.orders import (
    CONFIRMED,
    HOME,
    NOW,
    completed,
    delivered,
    gbp,
    line,
    place,
    placed,
)

AT = Timestamp()
AT.FromDatetime(NOW)


def wire(minor_units: int) -> WireMoney:
    return WireMoney(minor_units=minor_units, currency="GBP")


TWO_TEAS = pb.PlacedLine(sku="tea", quantity=2, unit_price=wire(150))


def announced(*events: Any) -> list[Any]:
    """Returns what is announced of the last event, after all of them."""
    order = Order(id="o")
    for event in events:
        order.evolve(event)
    return list(publish(order, events[-1]))


def test_a_placed_order_is_announced_with_all_it_costs_and_no_address() -> None:
    assert announced(placed()) == [
        pb.OrderPlaced(
            order_id="o",
            customer_id="ann",
            lines=[TWO_TEAS],
            total=wire(700),
            placed_at=AT,
            subtotal=wire(300),
            tax=wire(0),
            shipping=wire(400),
            shipping_method=pb.SHIPPING_METHOD_STANDARD,
            country="US",
            customer_tier="standard",
        )
    ]


def test_the_ends_of_an_order_are_announced() -> None:
    confirmed = pb.OrderConfirmed(order_id="o", customer_id="ann", total=wire(700))
    assert announced(placed(), CONFIRMED) == [confirmed]
    cancelled = pb.OrderCancelled(order_id="o", customer_id="ann", reason="no")
    assert announced(placed(), OrderCancelled(reason="no")) == [cancelled]
    done = pb.OrderCompleted(order_id="o", customer_id="ann", total=wire(700), lines=[TWO_TEAS], completed_at=AT)
    assert announced(*delivered()[:3], completed()) == [done]


def test_outcomes_that_customers_wait_for_are_announced() -> None:
    asked, refused = CancellationRequested(reason="no"), CancellationRefused(reason="it has left")
    assert announced(placed(), CONFIRMED, asked, refused) == [
        pb.OrderCancellationRefused(order_id="o", customer_id="ann", reason="it has left")
    ]
    requested = ReturnRequested(return_id="r", lines=(line(quantity=1),), refund=gbp(150), reason="", arrive_by=NOW)
    assert announced(*delivered(), requested, ReturnClosed(return_id="r", reason="too late")) == [
        pb.OrderReturnClosed(order_id="o", customer_id="ann", return_id="r", reason="too late")
    ]


def test_a_draft_that_is_thrown_away_is_nobody_elses_business() -> None:
    assert announced(DraftStarted(customer_id="ann", lines=()), OrderCancelled(reason="no")) == []


def test_a_completed_return_is_announced_with_what_came_back() -> None:
    requested = ReturnRequested(return_id="r", lines=(line(quantity=1),), refund=gbp(150), reason="", arrive_by=NOW)
    done = ReturnCompleted(return_id="r", refund=gbp(150), completed_at=NOW)
    one = pb.PlacedLine(sku="tea", quantity=1, unit_price=wire(150))
    assert announced(*delivered(), requested, done) == [
        pb.OrderReturned(order_id="o", customer_id="ann", return_id="r", lines=[one], refund=wire(150))
    ]


def test_products_become_offers() -> None:
    created = catalog_pb.ProductCreated(
        sku="T-1", name="Green tea", description="A tea.", category="tea", tags=["bio"], list_price=wire(450)
    )
    words = ("a", "bio", "green", "tea")
    offered = OfferProduct(sku="T-1", name="Green tea", category="tea", words=words, list_price=gbp(450))
    assert acl.product_created(created) == offered
    sale = catalog_pb.Promotion(price=wire(400), starts_at=AT, ends_at=AT)
    changed = catalog_pb.PriceChanged(sku="T-1", list_price=wire(450), promotion=sale)
    promotion = Promotion(price=gbp(400), starts_at=NOW, ends_at=NOW)
    assert acl.price_changed(changed) == PriceOffer(sku="T-1", list_price=gbp(450), promotion=promotion)
    plain = catalog_pb.PriceChanged(sku="T-1", list_price=wire(450))
    assert acl.price_changed(plain) == PriceOffer(sku="T-1", list_price=gbp(450), promotion=None)


def test_customers_become_buyers_and_an_unknown_tier_is_the_lowest() -> None:
    gold = customers_pb.CustomerTierChanged(customer_id="ann", new_tier=customers_pb.TIER_GOLD)
    assert acl.customer_tier_changed(gold) == NoteTier(customer_id="ann", tier=Tier.GOLD)
    newer = customers_pb.CustomerTierChanged(customer_id="ann", new_tier=99)  # type: ignore[arg-type]
    assert acl.customer_tier_changed(newer).tier is Tier.STANDARD


def test_stock_becomes_what_can_be_bought() -> None:
    level = inventory_pb.StockLevelChanged(warehouse="main", sku="tea", on_hand=12, reserved=3, expired=2)
    assert acl.stock_level_changed(level) == StockOffer(sku="tea", warehouse="main", available=7)


def test_the_answers_of_the_others_are_taken() -> None:
    yes = StockAnswered(order_id="o", allocated=True)
    assert acl.stock_allocated(inventory_pb.StockAllocated(order_id="o")) == yes
    no = acl.allocation_refused(inventory_pb.AllocationRefused(order_id="o", sku="tea", reason="none left"))
    assert no == StockAnswered(order_id="o", allocated=False, reason="out of stock: none left")
    paid = PaymentAnswered(order_id="o", authorised=True)
    assert acl.payment_authorised(payments_pb.PaymentAuthorised(order_id="o")) == paid
    declined = acl.payment_failed(payments_pb.PaymentFailed(order_id="o", reason="declined"))
    assert declined == PaymentAnswered(order_id="o", authorised=False, reason="payment failed: declined")


def test_only_stock_that_expired_is_lost() -> None:
    expired = inventory_pb.AllocationReleased(order_id="o", reason=inventory_pb.RELEASE_REASON_EXPIRED)
    assert acl.allocation_released(expired) == StockLost(order_id="o")
    for reason in (inventory_pb.RELEASE_REASON_UNSPECIFIED, inventory_pb.RELEASE_REASON_ORDER_CANCELLED):
        assert acl.allocation_released(inventory_pb.AllocationReleased(order_id="o", reason=reason)) is None


def test_stock_that_is_past_its_day_is_lost() -> None:
    spoilt = inventory_pb.AllocationSpoilt(order_id="o", warehouse="main", sku="tea")
    assert acl.allocation_spoilt(spoilt) == StockLost(order_id="o", reason="tea passed its last day before it was sent")


def test_a_refund_is_noted_and_that_of_a_cancellation_is_not() -> None:
    refunded = payments2_pb.PaymentRefunded(order_id="o", refund_id="r", amount=wire(150))
    assert acl.payment_refunded(refunded) == NoteRefund(order_id="o", refund_id="r", amount=gbp(150))
    assert acl.payment_refunded(payments2_pb.PaymentRefunded(refund_id=acl.CANCELLATION)) is None
    refused = payments_pb.RefundRefused(order_id="o", refund_id="r", amount=wire(150), reason="closed")
    assert acl.refund_refused(refused) == NoteRefusedRefund(
        order_id="o", refund_id="r", amount=gbp(150), reason="closed"
    )
    assert acl.refund_refused(payments_pb.RefundRefused(refund_id=acl.CANCELLATION)) is None


def test_shipments_are_followed() -> None:
    left = shipping_pb.ShipmentDispatched(order_id="o", carrier="P", tracking_number="T", dispatched_at=AT)
    news = ShipmentNews(order_id="o", kind="dispatched", carrier="P", tracking_number="T", at=NOW)
    assert acl.shipment_dispatched(left) == news
    there = acl.delivery_confirmed(shipping_pb.DeliveryConfirmed(order_id="o", delivered_at=AT))
    assert there == ShipmentNews(order_id="o", kind="delivered", at=NOW)
    stopped = acl.shipment_cancelled(shipping_pb.ShipmentCancelled(order_id="o", reason="broken"))
    assert stopped == ShipmentNews(order_id="o", kind="cancelled", why="broken")
    lost = acl.delivery_failed(shipping_pb.DeliveryFailed(order_id="o", reason="no such house"))
    assert lost == ShipmentNews(order_id="o", kind="failed", why="no such house")


STORED_BY_VERSION_1 = {
    "type": "order-placed",
    "v": 1,
    "data": {
        "customer_id": "ann",
        "lines": [{"sku": "tea", "quantity": 2, "unit_price": {"minor_units": 150, "currency": "GBP"}}],
        "total": {"minor_units": 300, "currency": "GBP"},
        "placed_at": datetime(2024, 5, 6, tzinfo=UTC),
        "answer_by": datetime(2024, 5, 6, 0, 1, tzinfo=UTC),
    },
}
"""What the first version of the code wrote, when an order cost its lines and was delivered nowhere."""


def test_an_order_from_before_delivery_and_tax_is_read_with_what_it_cost() -> None:
    order = ORDERS.fold("o", [STORED_BY_VERSION_1, {"type": "order-confirmed", "v": 1, "data": {}}])
    assert (order.status, order.lines, order.delivery) == (Status.CONFIRMED, (line(),), None)
    assert order.totals is not None
    assert (order.totals.total, order.totals.subtotal, order.totals.tax) == (gbp(300), gbp(300), gbp(0))
    order.cancel("too late")
    assert order.status is Status.CANCELLING


def test_an_old_message_without_the_added_fields_is_still_an_order() -> None:
    old = pb.OrderPlaced(order_id="o", customer_id="ann", lines=[TWO_TEAS], total=wire(300), placed_at=AT)
    read = pb.OrderPlaced.FromString(old.SerializeToString())
    assert (read.total, read.customer_tier, read.shipping_method) == (wire(300), "", pb.SHIPPING_METHOD_UNSPECIFIED)


def _dispatch(order: Order) -> None:
    order.dispatched(carrier="P", tracking_number="T", at=NOW)


_commands: st.SearchStrategy[Callable[[Order], object]] = st.one_of(
    st.builds(lambda n, p: place(line("tea", n, p)), st.integers(1, 9), st.integers(0, 999)),
    st.builds(lambda n: lambda o: o.draft(customer_id="ann", lines=[line("cup", n)]), st.integers(1, 9)),
    st.just(lambda o: o.change_draft(put=[line("pot")], remove=["cup"], delivery=HOME)),
    st.sampled_from([Order.confirm, Order.shipment_prepared, _dispatch]),
    st.sampled_from(
        [
            lambda o: o.cancel("no"),
            lambda o: o.shipment_not_stopped("late"),
            lambda o: o.delivered(NOW),
            lambda o: o.not_delivered("lost"),
            lambda o: o.shipment_stopped("broken"),
            lambda o: o.request_return("r", {}, "", NOW + timedelta(days=1)),
            lambda o: o.receive_return("r"),
            lambda o: o.refunded("g", gbp(1), NOW),
            lambda o: o.complete_return("r", NOW),
            lambda o: o.close_return("r", "late"),
        ]
    ),
)


@given(st.lists(_commands, max_size=14))
def test_the_events_of_an_order_give_its_state(commands: list[Callable[[Order], object]]) -> None:
    assert_folds(ORDERS, *carried_out(Order(id="o"), commands))


@given(st.lists(_commands, max_size=14))
def test_an_order_is_placed_once_and_ends_once(commands: list[Callable[[Order], object]]) -> None:
    _, events = carried_out(Order(id="o"), commands)
    kinds = [type(event) for event in events]
    assert kinds.count(OrderPlaced) <= 1
    assert kinds.count(OrderConfirmed) <= 1
    assert sum(kind.__name__ in ("OrderCancelled", "OrderCompleted") for kind in kinds) <= 1
