"""Buyers: whether an address or an erasure comes first, no address of a forgotten customer is left."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from treaty.causes import Cause, acting
from treaty.clock import SystemClock
from treaty.commits import Repository
from treaty.domain import Call, Rejected
from treaty.memory.personal_data import MemoryPersonalData
from treaty.memory.stores import MemoryStores
from treaty.surroundings import Surroundings
from treaty.testing.scenarios import given

from services.commerce.ordering.application.buyers import (
    Buyers,
    EraseAddresses,
    ForgetBuyer,
    KeepAddress,
    erase_again,
)
from services.commerce.ordering.application.commands import Destination
from services.commerce.ordering.domain.buyer import Buyer
from services.commerce.ordering.domain.events import BuyerForgotten, TierNoted
from services.commerce.ordering.domain.pricing import Method, Tier
from services.commerce.ordering.storage import BUYERS, COMMANDS

DESTINATION = Destination(method=Method.STANDARD, address={"name": "Ann", "country": "GB"})
KEEP = KeepAddress(order_id="order-1", customer_id="ann", destination=DESTINATION)
FORGET = ForgetBuyer(customer_id="ann")


class _Watched(MemoryPersonalData):
    """Forgets the customer just before an address is stored, or keeps an address just before an erasure."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.buyers: Buyers | None = None
        self.forget_first = self.keep_first = False

    async def keep(self, subject: str, data: Mapping[str, str], *, lasting: timedelta | None = None) -> str:
        if self.forget_first and self.buyers is not None:
            self.forget_first = False
            await self.buyers.forget(FORGET)
        return await super().keep(subject, data, lasting=lasting)

    async def erase(self, subject: str) -> int:
        if self.keep_first and self.buyers is not None:
            self.keep_first = False
            _, buyer = await self.buyers.keep_address(KEEP)
            assert buyer.forgotten, "the erasure is committed before anything is erased"
        return await super().erase(subject)


def watched() -> tuple[Buyers, _Watched]:
    surroundings, personal_data = Surroundings(), _Watched()
    repository = Repository(
        MemoryStores(surroundings).log, BUYERS, surroundings=surroundings, policies=[erase_again], commands=COMMANDS
    )
    personal_data.buyers = Buyers(buyers=repository, personal_data=personal_data)
    return personal_data.buyers, personal_data


async def test_an_address_that_comes_during_an_erasure_is_not_stored() -> None:
    buyers, personal_data = watched()
    await buyers.keep_address(KEEP)
    personal_data.keep_first = True
    with acting(Cause(id="test")):
        await buyers.forget(FORGET)
    assert not personal_data.keep_first
    assert await personal_data.erase("ann") == 0


async def test_an_address_that_is_stored_after_an_erasure_is_erased_a_day_later() -> None:
    buyers, personal_data = watched()
    personal_data.forget_first = True
    with acting(Cause(id="test")):
        delivery, buyer = await buyers.keep_address(KEEP)
    assert not buyer.forgotten, "the buyer was read before"
    assert await personal_data.find(delivery.address)
    [call] = erase_again(Buyer(id="ann"), BuyerForgotten())
    assert call == Call(EraseAddresses(customer_id="ann"), after=timedelta(days=1))
    await buyers.erase_addresses(EraseAddresses(customer_id="ann"))
    assert await personal_data.find(delivery.address) is None


async def test_a_guest_shares_no_address_with_a_customer_of_the_name_of_the_order() -> None:
    buyers, personal_data = watched()
    guest = KeepAddress(order_id="ann", customer_id="", destination=DESTINATION)
    delivery, _ = await buyers.keep_address(guest)
    with acting(Cause(id="test")):
        await buyers.forget(FORGET)
    assert await personal_data.find(delivery.address) == DESTINATION.address


async def test_a_buyer_who_is_not_known_yet_orders_at_the_lowest_tier() -> None:
    buyers, _ = watched()
    for customer_id in ("ann", ""):
        buyer = await buyers.get(customer_id)
        assert buyer == Buyer(id=customer_id)
        buyer.must_be_known()


def test_a_buyer_is_forgotten_once_and_orders_nothing_more() -> None:
    buyer = given(Buyer, "ann", [TierNoted(tier=Tier.GOLD)]).when(Buyer.forget).then([BuyerForgotten()])
    with pytest.raises(Rejected, match="as a guest"):
        buyer.must_be_known()
    given(Buyer, "ann", [BuyerForgotten()]).when(Buyer.forget).then_nothing()
    assert not list(erase_again(buyer, TierNoted(tier=Tier.GOLD)))
