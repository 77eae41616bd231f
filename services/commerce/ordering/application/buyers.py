"""The use cases of buyers: the copies of customers with their tiers, and the delivery addresses until they are erased.

An address is erased when its customer is forgotten, and in any case some time after it was given.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from treaty.commits import Committed, Repository
from treaty.domain import Call, NotFound
from treaty.personal_data import ERASED_AGAIN, PersonalData

from services.commerce.ordering.application.commands import Destination
from services.commerce.ordering.domain.buyer import Buyer
from services.commerce.ordering.domain.events import BuyerEvent, BuyerForgotten
from services.commerce.ordering.domain.order import Order
from services.commerce.ordering.domain.pricing import Delivery, Tier

ADDRESS_KEPT = timedelta(days=180)
"""The time that an address is kept, from the call that gives it or places its draft."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteTier:
    customer_id: str
    tier: Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetBuyer:
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseAddresses:
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAddress:
    """The address of an order. The `customer_id` of a guest is empty."""

    order_id: str
    customer_id: str
    destination: Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyers:
    """Records what Customers announces, and keeps the addresses that orders are delivered to."""

    buyers: Repository[Buyer]
    personal_data: PersonalData

    async def note_tier(self, command: NoteTier) -> Committed[Buyer]:
        return await self.buyers.add(command.customer_id, lambda buyer: buyer.note(command.tier))

    async def forget(self, command: ForgetBuyer) -> Committed[Buyer]:
        """Records that a customer is forgotten, and then erases the addresses of the customer's orders.

        A call that has read the buyer before may store an address afterwards, so they are erased once more a day later.
        """
        forgotten = await self.buyers.add(command.customer_id, Buyer.forget)
        await self.personal_data.erase(command.customer_id)
        return forgotten

    async def erase_addresses(self, command: EraseAddresses) -> None:
        await self.personal_data.erase(command.customer_id)

    async def get(self, customer_id: str) -> Buyer:
        """Returns a buyer, or a blank one for a guest and for a customer that Customers has not announced yet."""
        try:
            return (await self.buyers.get(customer_id)).state if customer_id else Buyer(id="")
        except NotFound:
            return Buyer(id=customer_id)

    async def keep_address(self, command: KeepAddress) -> tuple[Delivery, Buyer]:
        """Stores an address where it can be erased. Returns a delivery that refers to it, and the buyer.

        Nothing is stored for a customer who is forgotten.
        """
        buyer, address = await self.get(command.customer_id), command.destination.address
        subject = command.customer_id or f"guest@{command.order_id}"  # no customer id has an @
        ref = "" if buyer.forgotten else await self.personal_data.keep(subject, address, lasting=ADDRESS_KEPT)
        return Delivery(method=command.destination.method, country=address["country"], address=ref), buyer

    async def find_address(self, order: Order) -> Mapping[str, str] | None:
        """Returns the address of an order, or None if it has none or it is erased."""
        return await self.personal_data.find(order.delivery.address) if order.delivery else None


def erase_again(buyer: Buyer, event: BuyerEvent) -> Iterator[Call]:
    """Policy: erases the addresses once more when nobody can be storing one any longer."""
    match event:
        case BuyerForgotten():
            yield Call(EraseAddresses(customer_id=buyer.id), after=ERASED_AGAIN)
        case _:
            return
