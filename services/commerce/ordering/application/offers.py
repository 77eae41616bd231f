"""The use cases of offers: the copies of products with their prices and their stock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.projections import FIRST, Between, Key, Page, View, Where, Words

from services.commerce.money import Money
from services.commerce.ordering.domain.offer import Offer
from services.commerce.ordering.domain.pricing import Promotion, price_at
from services.commerce.ordering.projections import OfferRow


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferProduct:
    sku: str
    name: str
    category: str
    words: tuple[str, ...]
    list_price: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeOffer:
    sku: str
    name: str
    category: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOffer:
    sku: str
    list_price: Money
    promotion: Promotion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockOffer:
    sku: str
    warehouse: str
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawOffer:
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOffers:
    """An offer is found if all conditions hold. A condition that is empty, or a price of 0, always holds."""

    text: str = ""
    category: str = ""
    lowest_price: int = 0
    highest_price: int = 0
    available: bool = False
    page: Page = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPrices:
    """The prices at a moment."""

    skus: Sequence[str]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """Records what Catalog and Inventory announce, in any sequence, and finds what can be bought."""

    offers: Repository[Offer]
    offer_rows: View[OfferRow]
    clock: Clock

    async def offer_product(self, command: OfferProduct) -> Committed[Offer]:
        def decide(offer: Offer) -> None:
            offer.describe(name=command.name, category=command.category, words=command.words)
            offer.price(command.list_price, None)

        return await self.offers.add(command.sku, decide)

    async def describe_offer(self, command: DescribeOffer) -> Committed[Offer]:
        return await self.offers.add(
            command.sku,
            lambda offer: offer.describe(name=command.name, category=command.category, words=command.words),
        )

    async def price_offer(self, command: PriceOffer) -> Committed[Offer]:
        return await self.offers.add(command.sku, lambda offer: offer.price(command.list_price, command.promotion))

    async def stock_offer(self, command: StockOffer) -> Committed[Offer]:
        return await self.offers.add(command.sku, lambda offer: offer.stock(command.warehouse, command.available))

    async def withdraw_offer(self, command: WithdrawOffer) -> Committed[Offer]:
        return await self.offers.add(command.sku, Offer.withdraw)

    async def search(self, query: SearchOffers) -> tuple[list[tuple[OfferRow, Money]], Key | None]:
        """Returns a page of offers, sorted by name, with their current prices, and the key of the next page or None."""
        rows, after = await self.offer_rows.page(_conditions(query), query.page)
        now = self.clock.now()
        priced = [(row, price_at(row.list_price, row.promotion, now)) for row in rows if row.list_price is not None]
        return priced, after

    async def prices(self, query: GetPrices) -> Mapping[str, Money]:
        """Returns the price of each SKU that can be bought."""
        rows = await self.offer_rows.rows(query.skus)
        return {
            sku: price_at(row.list_price, row.promotion, query.at)
            for sku, row in rows.items()
            if row.offered and row.list_price is not None
        }


def _conditions(query: SearchOffers) -> Where:
    """Returns the conditions of a search for offers that are for sale."""
    where: dict[str, Any] = {"offered": True}
    if query.text:
        where["words"] = Words(query.text)
    if query.category:
        where["category"] = query.category
    if query.lowest_price or query.highest_price:
        where["price"] = Between(query.lowest_price, query.highest_price or None)
    if query.available:
        where["in_stock"] = True
    return where
