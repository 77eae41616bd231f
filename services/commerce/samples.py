"""The domain for `scripts/up`: its simulated outside systems, its sample data, and the traffic of a shop.

`scripts/up` reads these names from `services/<domain>/samples.py`. Each may be left out:

- PORTS: the default ports of the outside systems.
- SYSTEMS: by name, the module and arguments of the process that simulates a system. `$name` is a port.
- SETTINGS: the settings with which the contexts find the systems.
- opening(): the requests that fill the contexts. Each is sent with the same request_id at every start, so it takes
  effect once.
- EXAMPLE: the request that is printed as the first thing to try.
- DEEDS: by name, the weight of a deed in the traffic, and the steps of it. A step yields a request and gets the reply.
"""

import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from commerce.catalog.v1 import catalog_service_pb2 as catalog
from commerce.customers.v1 import customers_service_pb2 as customers
from commerce.inventory.v1 import inventory_service_pb2 as inventory
from commerce.money.v1.money_pb2 import Money
from commerce.notifications.v1 import notifications_service_pb2 as notifications
from commerce.ordering.v1 import ordering_service_pb2 as ordering

T = TypeVar("T")

PORTS = {"gateway": 7400, "carrier": 7410, "mail": 7420, "sms": 7421}

_ON = "--host 127.0.0.1 --port"

SYSTEMS = {
    "gateway": f"services.commerce.payments.external.gateway.simulator {_ON} $gateway"
    " --callback http://127.0.0.1:$payments_http/webhooks/gateway",
    "carrier": f"services.commerce.shipping.external.carrier.simulator {_ON} $carrier --pace 1"
    " --callback http://127.0.0.1:$shipping_http/webhooks/carrier",
    "mail": f"services.commerce.notifications.external.simulator {_ON} $mail --sms-port $sms",
}

SETTINGS = {
    "PAYMENTS_GATEWAY": "127.0.0.1:$gateway",
    "SHIPPING_CARRIER": "http://127.0.0.1:$carrier",
    "NOTIFICATIONS_SMTP": "127.0.0.1:$mail",
    "NOTIFICATIONS_SMS": "http://127.0.0.1:$sms",
    "NOTIFICATIONS_STAFF_EMAIL": "buying@shop.example",
}

_PRODUCTS = {
    "TEA-01": ("Green tea", 350),
    "TEA-02": ("Black tea", 320),
    "POT-01": ("Teapot", 2400),
    "CUP-01": ("Tea cup", 450),
    "TIN-01": ("Tea tin", 799),
    "BOOK-01": ("A book about tea", 1850),
}
"""By SKU, the name and the price in pence."""

_CUSTOMERS = {"ada": "Ada", "grace": "Grace", "edsger": "Edsger", "barbara": "Barbara"}

_PIECES = 10_000
_KEPT = 500
"""The most orders that the traffic remembers, to cancel them or to send them back."""


class Dice(Protocol):
    """The chance of the traffic, such as `random.Random`."""

    def choice(self, of: Sequence[T], /) -> T: ...

    def randint(self, least: int, most: int, /) -> int: ...

    def getrandbits(self, bits: int, /) -> int: ...


Steps = Generator[Any, Any, None]
"""Yields requests, and gets the reply of each."""

Deed = Callable[[Dice, list[str]], Steps]
"""(chance, the ids of the orders so far) → the steps."""


def opening() -> Iterator[Any]:
    """Yields the requests that fill the shop: products, stock, customers and a few orders."""
    for sku, (name, pence) in _PRODUCTS.items():
        yield catalog.CreateProductRequest(sku=sku, name=name, list_price=_pounds(pence))
        yield inventory.RegisterItemRequest(sku=sku, description=name)
        yield inventory.ReceiveStockRequest(sku=sku, quantity=_PIECES)
    for id, name in _CUSTOMERS.items():
        yield customers.RegisterCustomerRequest(customer_id=id, name=name, email=f"{id}@example.com")
        yield notifications.SubscribeRequest(customer_id=id, email=f"{id}@example.com")
    yield _order("ada", {"TEA-01": 2, "POT-01": 1})
    yield _order("grace", {"CUP-01": 4})
    yield _order("edsger", {"BOOK-01": 1, "TIN-01": 1})


def _order(customer: str, pieces: Mapping[str, int], id: str = "") -> ordering.PlaceOrderRequest:
    return ordering.PlaceOrderRequest(
        request_id=id,
        customer_id=customer,
        lines=[
            ordering.OrderLine(sku=sku, quantity=quantity, unit_price=_pounds(_PRODUCTS[sku][1]))
            for sku, quantity in pieces.items()
        ],
        address=ordering.Address(
            name=_CUSTOMERS[customer], line1="1 High Street", city="Anytown", postal_code="AB1 2CD", country="GB"
        ),
    )


def _pounds(pence: int) -> Money:
    return Money(minor_units=pence, currency="GBP")


EXAMPLE = _order("ada", {"TEA-01": 2})


def _buy(dice: Dice, placed: list[str]) -> Steps:
    """Orders one to three products."""
    skus = {dice.choice(list(_PRODUCTS)) for _ in range(dice.randint(1, 3))}
    yield from _place(dice, placed, {sku: dice.randint(1, 5) for sku in sorted(skus)})


def _buy_too_much(dice: Dice, placed: list[str]) -> Steps:
    """Orders more pieces than there are, so that the allocation is refused."""
    yield from _place(dice, placed, {dice.choice(list(_PRODUCTS)): 900_000})


def _place(dice: Dice, placed: list[str], pieces: Mapping[str, int]) -> Steps:
    id = str(uuid.UUID(int=dice.getrandbits(128), version=4))
    yield _order(dice.choice(list(_CUSTOMERS)), pieces, id)
    placed.append(id)
    del placed[:-_KEPT]


def _cancel(dice: Dice, placed: list[str]) -> Steps:
    if placed:
        yield ordering.CancelOrderRequest(order_id=placed.pop(), reason="ordered by mistake")


def _send_back(dice: Dice, placed: list[str]) -> Steps:
    """Asks for the return of an order, and reports its arrival at once."""
    if placed:
        id = placed.pop(0)
        reply = yield ordering.RequestReturnRequest(order_id=id, reason="changed my mind")
        yield ordering.ReceiveReturnRequest(order_id=id, return_id=reply.order.returns[-1].return_id)


def _restock(dice: Dice, placed: list[str]) -> Steps:
    yield inventory.ReceiveStockRequest(sku=dice.choice(list(_PRODUCTS)), quantity=dice.randint(10, 50))


def _look(dice: Dice, placed: list[str]) -> Steps:
    yield ordering.ListOrdersRequest(page_size=10)


DEEDS: Mapping[str, tuple[int, Deed]] = {
    "buy": (70, _buy),
    "look": (10, _look),
    "cancel": (8, _cancel),
    "return": (5, _send_back),
    "restock": (5, _restock),
    "too-much": (2, _buy_too_much),
}
