"""The edges that see protobuf: what a context announces, and how it takes what others announce."""

from collections.abc import Iterable
from typing import Any

import pytest
from commerce.inventory.v1 import inventory_events_pb2 as inventory_pb
from commerce.money.v1.money_pb2 import Money as WireMoney
from commerce.ordering.v1 import ordering_events_pb2 as ordering_pb
from commerce.payments.v1 import payments_events_pb2 as payments_pb
from treaty.domain import Aggregate, Invalid

from services.commerce.inventory import acl as inventory_acl
from services.commerce.inventory import domain as stock
from services.commerce.inventory.publishing import publish_allocation, publish_stock
from services.commerce.money import Money
from services.commerce.payments import acl as payments_acl
from services.commerce.payments import domain as payment
from services.commerce.payments.application import CancelPayment, ConfirmPayment, RequestPayment
from services.commerce.payments.publishing import publish as publish_payment

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
        stock.StockReceived(quantity=9),
        stock.StockAdjusted(delta=9, reason="found"),
        stock.StockReserved(order_id="o", quantity=9),
        stock.StockFreed(order_id="o", quantity=9),
    ],
)
def test_every_change_of_a_stock_level_is_announced(event: stock.StockEvent) -> None:
    registered = stock.ItemRegistered(warehouse="main", sku="tea", description="")
    item = after(stock.StockItem(id="main/tea"), registered, event)
    assert announced(publish_stock, stock.StockItem(id="main/tea"), registered, event) == [
        inventory_pb.StockLevelChanged(warehouse="main", sku="tea", on_hand=item.on_hand, reserved=item.reserved)
    ]


def test_registering_an_item_is_not_announced() -> None:
    registered = stock.ItemRegistered(warehouse="main", sku="tea", description="")
    assert announced(publish_stock, stock.StockItem(id="i"), registered) == []


ONE_LINE = (stock.AllocatedLine(sku="tea", warehouse="main", quantity=2),)
WIRE_LINES = [inventory_pb.AllocatedLine(sku="tea", warehouse="main", quantity=2)]
REQUESTED = stock.AllocationRequested(lines=ONE_LINE)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([REQUESTED], []),
        ([REQUESTED, stock.OrderAllocated()], [inventory_pb.StockAllocated(order_id="o", lines=WIRE_LINES)]),
        (
            [REQUESTED, stock.OrderNotAllocated(sku="tea", reason="none left")],
            [inventory_pb.AllocationRefused(order_id="o", sku="tea", reason="none left")],
        ),
        ([REQUESTED, stock.OrderAllocated(), stock.AllocationCancelled()], []),
        (
            [REQUESTED, stock.OrderAllocated(), stock.AllocationCancelled(), stock.OrderReleased(lines=ONE_LINE)],
            [inventory_pb.AllocationReleased(order_id="o", lines=WIRE_LINES)],
        ),
    ],
)
def test_the_end_of_an_allocation_is_announced(events: list[Any], expected: list[Any]) -> None:
    assert announced(publish_allocation, stock.Allocation(id="o"), *events) == expected


ASKED = payment.PaymentRequested(amount=Money(300, "GBP"))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (ASKED, []),
        (payment.PaymentAuthorised(), [payments_pb.PaymentAuthorised(order_id="o", amount=GBP_300)]),
        (
            payment.PaymentFailed(reason="declined", reversal=False),
            [payments_pb.PaymentFailed(order_id="o", reason="declined")],
        ),
        (payment.OrderConfirmed(), []),
        (payment.OrderCancelled(), []),
        (payment.CaptureStarted(), []),
        (payment.VoidStarted(), []),
        (payment.RefundStarted(), []),
        (payment.PaymentCaptured(), [payments_pb.PaymentReceived(order_id="o", amount=GBP_300)]),
        (payment.PaymentVoided(), [payments_pb.PaymentVoided(order_id="o", amount=GBP_300)]),
        (payment.PaymentRefunded(), [payments_pb.PaymentRefunded(order_id="o", amount=GBP_300)]),
    ],
)
def test_where_the_money_is_is_announced(event: Any, expected: list[Any]) -> None:
    assert announced(publish_payment, payment.Payment(id="o"), ASKED, event) == expected


@pytest.mark.parametrize("event", [payment.OrderConfirmed(), payment.OrderCancelled()])
def test_a_payment_that_was_not_asked_for_yet_announces_nothing(event: Any) -> None:
    assert announced(publish_payment, payment.Payment(id="o"), event) == []


def _told(*answers: Any) -> Iterable[Any]:
    return answers


WIRE_PLACED = ordering_pb.OrderPlaced(
    order_id="o", lines=[ordering_pb.PlacedLine(sku="tea", quantity=2)], total=GBP_300
)


def test_inventory_takes_orders_from_the_main_warehouse() -> None:
    command = inventory_acl.order_placed(WIRE_PLACED)
    assert (command.order_id, tuple(command.lines)) == ("o", ONE_LINE)
    assert inventory_acl.order_cancelled(ordering_pb.OrderCancelled(order_id="o")).order_id == "o"


def test_payments_takes_the_total_of_orders() -> None:
    assert payments_acl.order_placed(WIRE_PLACED) == RequestPayment(order_id="o", amount=Money(300, "GBP"))
    assert payments_acl.order_confirmed(ordering_pb.OrderConfirmed(order_id="o")) == ConfirmPayment(order_id="o")
    assert payments_acl.order_cancelled(ordering_pb.OrderCancelled(order_id="o")) == CancelPayment(order_id="o")


def test_an_order_in_a_currency_we_do_not_know_is_not_guessed_at() -> None:
    with pytest.raises(Invalid):
        payments_acl.order_placed(ordering_pb.OrderPlaced(order_id="o", total=WireMoney(minor_units=1, currency="XXX")))
