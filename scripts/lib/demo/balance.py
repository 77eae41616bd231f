"""Checks at the end of the demo that pieces, money and messages balance."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from commerce.customers.v1 import customers_events_pb2 as customers_events
from commerce.customers.v1 import customers_service_pb2 as customers
from commerce.inventory.v1 import inventory_service_pb2 as inventory
from commerce.ordering.v1 import ordering_service_pb2 as ordering

from scripts.lib.demo.invoices import Invoices
from scripts.lib.demo.places import Place
from scripts.lib.demo.setup import Opening
from scripts.lib.demo.shop import Outcome, Shop


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Whether stock, money and messages balance.

    `missing` has up to ten messages that were announced after the shop opened and never handled, and up to ten messages
    of the whole history that were handled and never announced.
    """

    stock: bool
    money: bool
    messages: bool
    missing: Sequence[str] = ()


async def balance(place: Place, shop: Shop, outcomes: Sequence[Outcome], opening: Opening) -> Balance:
    """Compares the records of the contexts and of the gateway with the orders, deliveries and returns of this run."""
    delivered = [outcome for outcome in outcomes if outcome.state == "delivered"]
    found = await place.audit(opening.since)
    return Balance(
        stock=await _stock(shop, delivered, opening),
        money=await _money(place, delivered),
        messages=found.balanced,
        missing=[*found.missing[:10], *found.unheard_of[:10]],
    )


async def _stock(shop: Shop, delivered: Sequence[Outcome], opening: Opening) -> bool:
    """Returns whether, for every SKU, the stock has shrunk by the pieces that were delivered and not returned.

    The number of reserved pieces must be the same as before the first order.
    """
    gone: Counter[str] = Counter()
    for outcome in delivered:
        gone.update({line.sku: line.quantity for line in outcome.order.lines})
        for returned in _completed(outcome.order):
            gone.subtract({one.sku: one.quantity for one in returned.pieces})
    for sku, (on_hand, reserved) in opening.stock.items():
        request = inventory.GetStockRequest(sku=sku)
        item = (await shop.clients.ask("inventory", "GetStock", request, counted=False)).item
        if (item.on_hand, item.reserved) != (on_hand - gone[sku], reserved):
            return False
    return True


async def _money(place: Place, delivered: Sequence[Outcome]) -> bool:
    """Returns whether the gateway has the price of the delivered orders, minus the refunds, and holds no money."""
    kept = sum(
        outcome.order.total.minor_units - sum(one.refund.minor_units for one in _completed(outcome.order))
        for outcome in delivered
    )
    books = await place.books()
    return bool(books.captured - books.refunded == kept and books.held == 0)


def _completed(order: ordering.Order) -> list[ordering.Return]:
    return [one for one in order.returns if one.status == ordering.RETURN_STATUS_COMPLETED]


async def promotions(shop: Shop, invoices: Invoices) -> int:
    """Returns how many of the file's customers have been promoted."""
    promoted = 0
    for customer in {invoice.customer for invoice in invoices.invoices if invoice.customer}:
        request = customers.GetCustomerRequest(customer_id=customer)
        try:
            found = await shop.clients.ask("customers", "GetCustomer", request, counted=False)
        except grpc.aio.AioRpcError:
            continue
        promoted += found.customer.tier in (customers_events.TIER_GOLD, customers_events.TIER_VIP)
    return promoted
