"""What people do in the shop, as gRPC clients of its contexts, wherever those run."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from commerce.catalog.v1 import catalog_service_pb2 as catalog
from commerce.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from commerce.customers.v1 import customers_service_pb2 as customers
from commerce.customers.v1.customers_service_pb2_grpc import CustomersServiceStub
from commerce.inventory.v1 import inventory_service_pb2 as inventory
from commerce.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from commerce.money.v1.money_pb2 import Money
from commerce.notifications.v1 import notifications_service_pb2 as notifications
from commerce.notifications.v1.notifications_service_pb2_grpc import NotificationsServiceStub
from commerce.ordering.v1 import ordering_service_pb2 as ordering
from commerce.ordering.v1.ordering_service_pb2_grpc import OrderingServiceStub
from commerce.payments.v1 import payments_service_pb2 as payments
from commerce.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub
from commerce.shipping.v1 import shipping_service_pb2 as shipping
from commerce.shipping.v1.shipping_service_pb2_grpc import ShippingServiceStub
from google.protobuf.timestamp_pb2 import Timestamp
from treaty.rpc.client import channel, until_answered
from treaty.testing import while_moving

from scripts.lib.demo.places import Place

TIMEOUT = 20.0
_STUBS: Mapping[str, Any] = {
    "catalog": CatalogServiceStub,
    "customers": CustomersServiceStub,
    "inventory": InventoryServiceStub,
    "notifications": NotificationsServiceStub,
    "ordering": OrderingServiceStub,
    "payments": PaymentsServiceStub,
    "shipping": ShippingServiceStub,
}


def new_id() -> str:
    return str(uuid.uuid4())


def gbp(minor_units: int) -> Money:
    return Money(minor_units=minor_units, currency="GBP")


def address(postal_code: str = "12345") -> ordering.Address:
    """Returns an address; how the carrier behaves follows from the end of its postal code. There is no tax there."""
    return ordering.Address(
        name="Ann Example", line1="1 Main Street", city="Springfield", postal_code=postal_code, country="US"
    )


@dataclass(slots=True)
class Shop:
    """A client of every context, and what it has bought so far."""

    place: Place
    orders: list[str] = field(default_factory=list)
    received: dict[str, int] = field(default_factory=dict)
    elsewhere: dict[str, list[str]] = field(default_factory=dict)
    _channels: dict[str, Any] = field(default_factory=dict)

    async def close(self) -> None:
        for one in self._channels.values():
            await one.close()

    async def ask(self, context: str, method: str, request: Any) -> Any:
        """Calls a context, again as long as the outcome is unknown."""
        target = self.place.addresses[f"commerce.{context}"]
        if target not in self._channels:
            self._channels[target] = channel(target)
        stub = _STUBS[context](self._channels[target])
        return await until_answered(lambda: getattr(stub, method)(request, timeout=TIMEOUT))

    async def sell(self, price: int, pieces: int, *, name: str = "Enamel mug") -> str:
        """Puts a product into the catalogue and its pieces into stock; returns its SKU once it is on offer."""
        sku = f"SKU-{uuid.uuid4().hex[:12]}"
        create = catalog.CreateProductRequest(request_id=new_id(), sku=sku, name=name, list_price=gbp(price))
        await self.ask("catalog", "CreateProduct", create)
        if pieces:
            await self.eventually(lambda: self._is_known(sku))
            receive = inventory.ReceiveStockRequest(request_id=new_id(), sku=sku, quantity=pieces)
            await self.ask("inventory", "ReceiveStock", receive)
        self.received[sku] = pieces
        await self.eventually(lambda: self._costs(sku, price))
        return sku

    async def receive(self, sku: str, pieces: int, warehouse: str) -> None:
        """Puts pieces into another warehouse than the main one, and waits until Inventory can plan with them."""
        register = inventory.RegisterItemRequest(request_id=new_id(), sku=sku, warehouse=warehouse)
        await self.ask("inventory", "RegisterItem", register)
        receive = inventory.ReceiveStockRequest(request_id=new_id(), sku=sku, warehouse=warehouse, quantity=pieces)
        received = await self.ask("inventory", "ReceiveStock", receive)
        self.received[sku] += pieces
        self.elsewhere.setdefault(sku, []).append(warehouse)
        await self.ask("inventory", "ListStock", inventory.ListStockRequest(sku=sku, not_before=received.revision))

    async def _is_known(self, sku: str) -> bool:
        try:
            await self.stock(sku)
        except grpc.aio.AioRpcError as error:
            return error.code() is not grpc.StatusCode.NOT_FOUND
        return True

    async def change_price(self, sku: str, price: int) -> None:
        """Changes a price, and waits until Ordering knows."""
        change = catalog.ChangePriceRequest(request_id=new_id(), sku=sku, list_price=gbp(price))
        await self.ask("catalog", "ChangePrice", change)
        await self.eventually(lambda: self._costs(sku, price))

    async def _costs(self, sku: str, price: int) -> bool:
        """Tells whether an order at that price would be taken: a draft is a way to ask without buying."""
        found = await self.ask("ordering", "SearchOffers", ordering.SearchOffersRequest(text="", page_size=200))
        offers = {offer.sku: offer.price.minor_units for offer in found.offers}
        while found.next_page_token and sku not in offers:
            more = ordering.SearchOffersRequest(page_size=200, page_token=found.next_page_token)
            found = await self.ask("ordering", "SearchOffers", more)
            offers |= {offer.sku: offer.price.minor_units for offer in found.offers}
        return offers.get(sku) == price

    async def join(self) -> str:
        """Registers a customer who wants mail; returns the id."""
        customer_id = f"c-{uuid.uuid4().hex[:12]}"
        mail = f"{customer_id}@example.com"
        register = customers.RegisterCustomerRequest(
            request_id=new_id(), customer_id=customer_id, name="Ann Example", email=mail
        )
        await self.ask("customers", "RegisterCustomer", register)
        await self.ask(
            "notifications",
            "Subscribe",
            notifications.SubscribeRequest(request_id=new_id(), customer_id=customer_id, email=mail),
        )
        return customer_id

    async def buy(
        self, sku: str, price: int, *, pieces: int = 1, customer: str = "", postal_code: str = "12345"
    ) -> str:
        """Places an order at a price; returns its id."""
        line = ordering.OrderLine(sku=sku, quantity=pieces, unit_price=gbp(price))
        request = ordering.PlaceOrderRequest(
            request_id=new_id(), customer_id=customer, lines=[line], address=address(postal_code)
        )
        placed = await self.ask("ordering", "PlaceOrder", request)
        self.orders.append(placed.order.order_id)
        return str(placed.order.order_id)

    async def pay_by(self, customer: str, token: str, expires_at: Timestamp | None = None) -> None:
        """Registers the payment method of a customer; how the gateway behaves follows from its token."""
        request = payments.RegisterMethodRequest(
            request_id=new_id(), customer_id=customer, token=token, label=f"card {token}", expires_at=expires_at
        )
        await self.ask("payments", "RegisterMethod", request)

    async def began(self, order_id: str) -> set[str]:
        """Returns the correlations in the commits of an order, its payment and its shipment."""
        found = set()
        for context, kind in (("ordering", "order"), ("payments", "payment"), ("shipping", "shipment")):
            commits = await self.place.stores[f"commerce.{context}"].log.under(f"{kind}-{order_id}")
            found |= {cause.correlation for commit in commits for cause in commit.causes}
        return found

    async def cancel(self, order_id: str) -> ordering.Order:
        request = ordering.CancelOrderRequest(request_id=new_id(), order_id=order_id)
        answer: ordering.CancelOrderResponse = await self.ask("ordering", "CancelOrder", request)
        return answer.order

    async def order(self, order_id: str) -> ordering.Order:
        answer: ordering.GetOrderResponse = await self.ask(
            "ordering", "GetOrder", ordering.GetOrderRequest(order_id=order_id)
        )
        return answer.order

    async def reaches(self, order_id: str, *statuses: int) -> ordering.Order:
        """Waits until an order has one of the statuses, and returns it."""

        async def has() -> ordering.Order | None:
            order = await self.order(order_id)
            return order if order.status in statuses else None

        found: ordering.Order | None = await self.eventually(has)
        assert found is not None
        return found

    async def payment(self, order_id: str) -> payments.Payment:
        answer = await self.ask("payments", "GetPayment", payments.GetPaymentRequest(order_id=order_id))
        found: payments.Payment = answer.payment
        return found

    async def stock(self, sku: str, warehouse: str = "") -> inventory.StockItem:
        answer = await self.ask("inventory", "GetStock", inventory.GetStockRequest(sku=sku, warehouse=warehouse))
        found: inventory.StockItem = answer.item
        return found

    async def shipment(self, order_id: str) -> Any:
        return (await self.ask("shipping", "GetShipment", shipping.GetShipmentRequest(order_id=order_id))).shipment

    async def subjects(self, customer_id: str) -> list[str]:
        """Returns the subjects of the mails that a customer got."""
        mails = self.place.mails()
        return [mail["subject"] for mail in mails if mail["to"] == f"{customer_id}@example.com"]

    async def eventually(self, condition: Callable[[], Any]) -> Any:
        """Returns the first true value of a condition, and waits for it as long as the shop makes progress."""
        return await while_moving(condition, self.place.progress)

    async def settled(self) -> None:
        """Waits until nothing is left to do anywhere."""
        calm = 0

        async def quiet() -> bool:
            nonlocal calm
            left = [name for name, backlog in (await self.place.backlogs()).items() if not backlog.empty]
            calm = 0 if left else calm + 1
            return calm >= 3

        await self.eventually(quiet)

    async def balanced(self) -> None:
        """Expects that stock, money and messages add up, over everything that was bought here."""
        await self.settled()
        orders = [await self.order(order_id) for order_id in self.orders]
        await self._stock_adds_up(orders)
        for order in orders:
            await self._money_adds_up(order)
        found = await self.place.audit()
        assert found.balanced, (found.missing[:5], found.unheard_of[:5])

    async def _stock_adds_up(self, orders: list[ordering.Order]) -> None:
        for sku, received in self.received.items():
            gone = sum(_pieces_kept(order, sku) for order in orders)
            held = sum(_pieces_held(order, sku) for order in orders)
            items = [await self.stock(sku, name) for name in ("", *self.elsewhere.get(sku, []))] if received else []
            there = sum(item.on_hand for item in items), sum(item.reserved for item in items)
            assert there == (received - gone, held), sku

    async def _money_adds_up(self, order: ordering.Order) -> None:
        books = await self.place.books(order.order_id)
        refunds = sum(one.refund.minor_units for one in order.returns if one.status == ordering.RETURN_STATUS_COMPLETED)
        refunds += sum(one.amount.minor_units for one in order.refunds)
        sold = order.status in (ordering.ORDER_STATUS_COMPLETED, ordering.ORDER_STATUS_CONFIRMED)
        assert books.held == 0
        assert books.captured - books.refunded == (order.total.minor_units - refunds if sold else 0)


def _pieces_kept(order: ordering.Order, sku: str) -> int:
    """Returns how many pieces of a delivered order are with its customer."""
    if order.status != ordering.ORDER_STATUS_COMPLETED:
        return 0
    back = sum(
        one.quantity
        for returned in order.returns
        if returned.status == ordering.RETURN_STATUS_COMPLETED
        for one in returned.pieces
        if one.sku == sku
    )
    return sum(line.quantity for line in order.lines if line.sku == sku) - back


def _pieces_held(order: ordering.Order, sku: str) -> int:
    """Returns how many pieces are set aside for an order that is confirmed and has not come to its end."""
    if order.status != ordering.ORDER_STATUS_CONFIRMED:
        return 0
    return sum(line.quantity for line in order.lines if line.sku == sku)
