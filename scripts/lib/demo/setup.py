"""Opens the shop: fills the catalogue and the stock with the products of the file, and registers its customers."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from commerce.catalog.v1 import catalog_service_pb2 as catalog
from commerce.customers.v1 import customers_service_pb2 as customers
from commerce.inventory.v1 import inventory_service_pb2 as inventory
from commerce.money.v1.money_pb2 import Money
from commerce.notifications.v1 import notifications_service_pb2 as notifications
from commerce.ordering.v1 import ordering_service_pb2 as ordering

from scripts.lib.demo.calls import Clients, new_id
from scripts.lib.demo.invoices import Invoices

_AT_ONCE = 8


class NotHeardOf(Exception):
    """Ordering did not receive the prices of the catalogue in time."""


def pounds(pence: int) -> Money:
    return Money(minor_units=pence, currency="GBP")


@dataclass(slots=True)
class Opening:
    """Prepares the shop.

    Attributes:
        since: the position of the logs when the shop opened.
        stock: (on hand, reserved) by SKU, before the first order.
    """

    clients: Clients
    since: tuple[int, int] = (0, 0)
    stock: dict[str, tuple[int, int]] = field(default_factory=dict)

    async def open(self, invoices: Invoices, pieces: int) -> None:
        """Makes every product available for orders, and registers every customer and a mail address for each."""
        customers = sorted({invoice.customer for invoice in invoices.invoices if invoice.customer})
        await _side_by_side(self._catalogue(sku, text, invoices.prices[sku]) for sku, text in _texts(invoices))
        await _side_by_side(self._fill(sku, text, pieces) for sku, text in _texts(invoices))
        await _side_by_side(self._welcome(customer) for customer in customers)
        await self._wait_for_offers(invoices.prices)

    async def _catalogue(self, sku: str, text: str, pence: int) -> None:
        """Creates a product at its first price. A product that exists already gets that price again."""
        create = catalog.CreateProductRequest(
            request_id=new_id(), sku=sku, name=text[:100] or sku, list_price=pounds(pence)
        )
        if not await self._unless_known("catalog", "CreateProduct", create):
            change = catalog.ChangePriceRequest(request_id=new_id(), sku=sku, list_price=pounds(pence))
            await self.clients.ask("catalog", "ChangePrice", change)

    async def _fill(self, sku: str, text: str, pieces: int) -> None:
        """Receives or removes stock until this number of pieces is available, and sets the reorder point."""
        register = inventory.RegisterItemRequest(request_id=new_id(), sku=sku, description=text)
        await self._unless_known("inventory", "RegisterItem", register)
        item = (await self.clients.ask("inventory", "GetStock", inventory.GetStockRequest(sku=sku))).item
        missing = pieces - item.available
        if missing > 0:
            receive = inventory.ReceiveStockRequest(request_id=new_id(), sku=sku, quantity=missing)
            item = (await self.clients.ask("inventory", "ReceiveStock", receive)).item
        elif missing < 0:
            adjust = inventory.AdjustStockRequest(request_id=new_id(), sku=sku, delta=missing, reason="the demo starts")
            item = (await self.clients.ask("inventory", "AdjustStock", adjust)).item
        manage = inventory.ManageItemRequest(
            request_id=new_id(), sku=sku, reorder_point=pieces // 2, reorder_quantity=pieces
        )
        await self.clients.ask("inventory", "ManageItem", manage)
        self.stock[sku] = (item.on_hand, item.reserved)

    async def _welcome(self, customer: str) -> None:
        mail = f"customer-{customer}@example.com"
        register = customers.RegisterCustomerRequest(
            request_id=new_id(), customer_id=customer, name=f"Customer {customer}", email=mail
        )
        await self._unless_known("customers", "RegisterCustomer", register)
        subscribe = notifications.SubscribeRequest(request_id=new_id(), customer_id=customer, email=mail)
        await self.clients.ask("notifications", "Subscribe", subscribe)

    async def _unless_known(self, context: str, method: str, request: Any) -> bool:
        """Makes a call. Returns False if the object exists already, from an earlier run."""
        try:
            await self.clients.ask(context, method, request)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
            return False
        return True

    async def _wait_for_offers(self, prices: Mapping[str, int]) -> None:
        """Waits until Ordering has received every price. Gives up when no further price arrives for ten seconds.

        Raises:
            NotHeardOf
        """
        left, quiet = len(prices), 0
        while left and quiet < 100:
            offered = await self._offers()
            now = sum(offered.get(sku) != pence for sku, pence in prices.items())
            left, quiet = now, 0 if now < left else quiet + 1
            await asyncio.sleep(0.1)
        if left:
            raise NotHeardOf(f"Ordering has not received the prices of {left} products in time")

    async def _offers(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        token = ""
        while True:
            request = ordering.SearchOffersRequest(page_size=200, page_token=token)
            page = await self.clients.ask("ordering", "SearchOffers", request, counted=False)
            found |= {offer.sku: offer.price.minor_units for offer in page.offers}
            token = page.next_page_token
            if not token:
                return found


def _texts(invoices: Invoices) -> Sequence[tuple[str, str]]:
    return list(invoices.descriptions.items())


async def _side_by_side(work: Iterable[Awaitable[None]]) -> None:
    """Runs the work, a few pieces at a time."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(piece: Awaitable[None]) -> None:
        async with slots:
            await piece

    async with asyncio.TaskGroup() as group:
        for piece in work:
            group.create_task(one(piece))
