"""The edges that see protobuf: what a context announces, and how it takes what others announce."""

from datetime import UTC, datetime
from typing import Any

import pytest
from commerce.catalog.v1 import catalog_events_pb2 as catalog_pb
from commerce.inventory.v1 import inventory_events_pb2 as inventory_pb
from commerce.money.v1.money_pb2 import Money as WireMoney
from commerce.ordering.v1 import ordering_events_pb2 as ordering_pb
from commerce.payments.v1 import payments_events_pb2 as payments_pb
from treaty.domain import Aggregate, Invalid

from services.commerce.inventory import acl as inventory_acl
from services.commerce.inventory.application.allocations import AllocateOrder, FulfilOrder, ReleaseOrder, SecureOrder
from services.commerce.inventory.application.stock import DiscontinueProduct, ListProduct
from services.commerce.inventory.domain import allocations, events, stock, values
from services.commerce.inventory.publishing import publish_allocation, publish_stock
from services.commerce.money import Money
from services.commerce.payments import acl as payments_acl
from services.commerce.payments.application import CancelPayment, ConfirmPayment, RequestPayment
from services.commerce.payments.domain import events as paid
from services.commerce.payments.domain.payment import Payment
from services.commerce.payments.publishing import publish as publish_payment
from services.commerce.wire import time_to_wire

GBP_300 = WireMoney(minor_units=300, currency="GBP")


def after(aggregate: Aggregate[Any], *events: Any) -> Any:
    for event in events:
        aggregate.evolve(event)
    return aggregate


def announced(publish: Any, aggregate: Aggregate[Any], *events: Any) -> list[Any]:
    """Returns what is announced of the last event, after all of them."""
    return list(publish(after(aggregate, *events), events[-1]))


@pytest.mark.parametrize(
    "event",
    [
        events.StockReceived(quantity=9),
        events.StockAdjusted(delta=9, reason="found"),
        events.StockReserved(order_id="o", quantity=9),
        events.StockFreed(order_id="o", quantity=9),
        events.StockShipped(order_id="o", quantity=9),
        events.StockReturned(order_id="o", return_id="r", quantity=9),
        events.StockWrittenOff(quantity=9, today="2024-05-06"),
    ],
)
def test_every_change_of_a_stock_level_is_announced(event: events.StockEvent) -> None:
    registered = events.ItemRegistered(warehouse="main", sku="tea", description="")
    item = after(stock.StockItem(id="main/tea"), registered, event)
    assert announced(publish_stock, stock.StockItem(id="main/tea"), registered, event) == [
        inventory_pb.StockLevelChanged(warehouse="main", sku="tea", on_hand=item.on_hand, reserved=item.reserved)
    ]


@pytest.mark.parametrize(
    "event",
    [
        events.ItemRegistered(warehouse="main", sku="tea", description=""),
        events.ItemManaged(bar_code="", reorder_point=1, reorder_quantity=1),
        events.ItemDiscontinued(),
    ],
)
def test_what_changes_no_level_is_not_announced(event: events.StockEvent) -> None:
    assert announced(publish_stock, stock.StockItem(id="i"), event) == []


def test_orders_whose_pieces_are_past_their_day_are_announced() -> None:
    registered = events.ItemRegistered(warehouse="main", sku="tea", description="")
    received = events.StockReceived(quantity=3, expires_on="2024-05-31")
    ended = events.StockExpired(today="2024-06-01", quantity=3, orders=("o",))
    assert announced(publish_stock, stock.StockItem(id="main/tea"), registered, received, ended) == [
        inventory_pb.StockLevelChanged(warehouse="main", sku="tea", on_hand=3, reserved=0, expired=3),
        inventory_pb.AllocationSpoilt(order_id="o", warehouse="main", sku="tea"),
    ]


def test_that_more_is_to_be_bought_is_announced() -> None:
    registered = events.ItemRegistered(warehouse="main", sku="tea", description="")
    low = events.ReorderNeeded(available=0, reorder_point=4, reorder_quantity=20)
    assert announced(publish_stock, stock.StockItem(id="main/tea"), registered, low) == [
        inventory_pb.ReorderNeeded(warehouse="main", sku="tea", available=0, reorder_point=4, reorder_quantity=20)
    ]


ONE_LINE = (values.AllocatedLine(sku="tea", warehouse="main", quantity=2),)
WIRE_LINES = [inventory_pb.AllocatedLine(sku="tea", warehouse="main", quantity=2)]
UNTIL = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
CANCELLED, EXPIRED = inventory_pb.RELEASE_REASON_ORDER_CANCELLED, inventory_pb.RELEASE_REASON_EXPIRED
REQUESTED = events.AllocationRequested(lines=ONE_LINE)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([REQUESTED], []),
        ([REQUESTED, events.OrderAllocated()], [inventory_pb.StockAllocated(order_id="o", lines=WIRE_LINES)]),
        (
            [REQUESTED, events.OrderAllocated(expires_at=UNTIL)],
            [inventory_pb.StockAllocated(order_id="o", lines=WIRE_LINES, expires_at=time_to_wire(UNTIL))],
        ),
        ([REQUESTED, events.OrderConfirmed()], []),
        ([REQUESTED, events.OrderAllocated(), events.AllocationSecured()], []),
        ([REQUESTED, events.OrderCompleted()], []),
        ([REQUESTED, events.OrderAllocated(), events.AllocationFulfilled()], []),
        ([REQUESTED, events.PiecesReturned(return_id="r", lines=ONE_LINE)], []),
        (
            [REQUESTED, events.OrderNotAllocated(sku="tea", reason="none left")],
            [inventory_pb.AllocationRefused(order_id="o", sku="tea", reason="none left")],
        ),
        ([REQUESTED, events.OrderAllocated(), events.AllocationCancelled()], []),
        (
            [
                REQUESTED,
                events.OrderAllocated(),
                events.AllocationCancelled(),
                events.OrderReleased(lines=ONE_LINE),
            ],
            [inventory_pb.AllocationReleased(order_id="o", lines=WIRE_LINES, reason=CANCELLED)],
        ),
        (
            [REQUESTED, events.OrderReleased(lines=ONE_LINE, reason=values.Release.EXPIRED)],
            [inventory_pb.AllocationReleased(order_id="o", lines=WIRE_LINES, reason=EXPIRED)],
        ),
    ],
)
def test_what_becomes_of_an_allocation_is_announced(events: list[Any], expected: list[Any]) -> None:
    assert announced(publish_allocation, allocations.Allocation(id="o"), *events) == expected


ASKED = paid.PaymentRequested(amount=Money(300, "GBP"))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (ASKED, []),
        (paid.PaymentAuthorised(), [payments_pb.PaymentAuthorised(order_id="o", amount=GBP_300)]),
        (
            paid.PaymentFailed(reason="declined", reversal=False),
            [payments_pb.PaymentFailed(order_id="o", reason="declined")],
        ),
        (paid.OrderConfirmed(), []),
        (paid.OrderCancelled(), []),
        (paid.CaptureStarted(), []),
        (paid.VoidStarted(), []),
        (paid.RefundStarted(refund_id="r", amount=Money(1, "GBP")), []),
        (paid.VerdictAwaited(), []),
        (paid.ApprovedTooLate(), []),
        (paid.PaymentCaptured(), [payments_pb.PaymentReceived(order_id="o", amount=GBP_300)]),
        (paid.PaymentVoided(), [payments_pb.PaymentVoided(order_id="o", amount=GBP_300)]),
        (paid.VoidRefused(reason="no"), [payments_pb.VoidRefused(order_id="o", amount=GBP_300, reason="no")]),
    ],
)
def test_where_the_money_is_is_announced(event: Any, expected: list[Any]) -> None:
    assert announced(publish_payment, Payment(id="o"), ASKED, event) == expected


@pytest.mark.parametrize("event", [paid.OrderConfirmed(), paid.OrderCancelled()])
def test_a_payment_that_was_not_asked_for_yet_announces_nothing(event: Any) -> None:
    assert announced(publish_payment, Payment(id="o"), event) == []


WIRE_PLACED = ordering_pb.OrderPlaced(
    order_id="o", lines=[ordering_pb.PlacedLine(sku="tea", quantity=2)], total=GBP_300
)


def test_inventory_takes_what_becomes_of_orders() -> None:
    assert inventory_acl.order_placed(WIRE_PLACED) == AllocateOrder(order_id="o", pieces={"tea": 2})
    assert inventory_acl.order_confirmed(ordering_pb.OrderConfirmed(order_id="o")) == SecureOrder(order_id="o")
    assert inventory_acl.order_completed(ordering_pb.OrderCompleted(order_id="o")) == FulfilOrder(order_id="o")
    assert inventory_acl.order_cancelled(ordering_pb.OrderCancelled(order_id="o")) == ReleaseOrder(order_id="o")


def test_inventory_takes_what_becomes_of_products() -> None:
    created = catalog_pb.ProductCreated(sku="tea", name="Tea", list_price=GBP_300)
    assert inventory_acl.product_created(created) == ListProduct(sku="tea", name="Tea")
    gone = catalog_pb.ProductDiscontinued(sku="tea")
    assert inventory_acl.product_discontinued(gone) == DiscontinueProduct(sku="tea")


def test_payments_takes_the_total_of_orders() -> None:
    assert payments_acl.order_placed(WIRE_PLACED) == RequestPayment(order_id="o", amount=Money(300, "GBP"))
    known = ordering_pb.OrderPlaced(order_id="o", total=GBP_300, customer_id="ann")
    assert payments_acl.order_placed(known).customer_id == "ann"
    assert payments_acl.order_confirmed(ordering_pb.OrderConfirmed(order_id="o")) == ConfirmPayment(order_id="o")
    assert payments_acl.order_cancelled(ordering_pb.OrderCancelled(order_id="o")) == CancelPayment(order_id="o")


def test_an_order_in_a_currency_we_do_not_know_is_not_guessed_at() -> None:
    with pytest.raises(Invalid):
        payments_acl.order_placed(ordering_pb.OrderPlaced(order_id="o", total=WireMoney(minor_units=1, currency="XXX")))
