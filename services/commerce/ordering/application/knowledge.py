"""The use cases that copy data of other contexts: products as offers, customers as buyers."""

from dataclasses import dataclass

from treaty.commits import Committed, Repository

from services.commerce.money import Money
from services.commerce.ordering.domain.buyer import Buyer
from services.commerce.ordering.domain.offer import Offer
from services.commerce.ordering.domain.pricing import Promotion, Tier


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
class NoteTier:
    customer_id: str
    tier: Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """Records the events of other contexts in offers and buyers. The events may arrive in any sequence."""

    offers: Repository[Offer]
    buyers: Repository[Buyer]

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

    async def note_tier(self, command: NoteTier) -> Committed[Buyer]:
        return await self.buyers.add(command.customer_id, lambda buyer: buyer.note(command.tier))
