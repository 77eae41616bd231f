"""Whether everything adds up at the end: pieces, money and messages."""

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
    """What adds up. Messages are audited over the whole history of the stores, pieces and money over this run."""

    stock: bool
    money: bool
    messages: bool
    missing: Sequence[str] = ()


async def balance(place: Place, shop: Shop, outcomes: Sequence[Outcome], opening: Opening) -> Balance:
    """Compares what the contexts and the gateway say with what was ordered, delivered and sent back."""
    delivered = [outcome for outcome in outcomes if outcome.state == "delivered"]
    found = await place.audit(opening.since)
    return Balance(
        stock=await _stock(shop, delivered, opening),
        money=await _money(place, delivered),
        messages=found.balanced,
        missing=[*found.missing[:10], *found.unheard_of[:10]],
    )


async def _stock(shop: Shop, delivered: Sequence[Outcome], opening: Opening) -> bool:
    """Of every SKU as many pieces are gone as were delivered and did not come back, and none is set aside."""
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
    """The gateway has what delivered orders cost, less what was given back, and holds nothing."""
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
