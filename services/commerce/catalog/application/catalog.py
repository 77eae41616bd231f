"""The use cases of products and reviews, with their commands and queries."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.domain import Invalid
from treaty.projections import FIRST, Among, Between, Key, Page, View, Words

from services.commerce.catalog.application.authors import Authors
from services.commerce.catalog.application.categories import Categories
from services.commerce.catalog.domain.products import Product
from services.commerce.catalog.domain.reviews import Review, Status
from services.commerce.catalog.domain.values import Details, Opinion, Promotion
from services.commerce.catalog.projections import ProductRow, ReviewRow
from services.commerce.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateProduct:
    sku: str
    details: Details
    list_price: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeProduct:
    sku: str
    details: Details


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePrice:
    sku: str
    list_price: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPromotion:
    sku: str
    promotion: Promotion


@dataclass(frozen=True, slots=True, kw_only=True)
class EndPromotion:
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscontinueProduct:
    sku: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitReview:
    review_id: str
    opinion: Opinion


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerateReview:
    review_id: str
    publish: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchProducts:
    """A product is found if all conditions hold. A condition that is empty or None always holds.

    The products of a category are also those of the categories below it.
    """

    text: str = ""
    category: str = ""
    lowest: Money | None = None
    highest: Money | None = None
    include_discontinued: bool = False
    page: Page = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class ListReviews:
    """An empty `sku` means the reviews of all products."""

    sku: str = ""
    status: Status = Status.PUBLISHED
    page: Page = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The use cases of products and reviews.

    If a command refers to another aggregate, the use case checks that it exists before the command is decided.
    Categories and products are never removed, so the reference stays valid.
    """

    products: Repository[Product]
    categories: Categories
    reviews: Repository[Review]
    authors: Authors
    product_rows: View[ProductRow]
    review_rows: View[ReviewRow]
    clock: Clock

    async def create_product(self, command: CreateProduct) -> Committed[Product]:
        """Adds a product to the catalogue. If it names a category, the category must exist."""
        await self.categories.must_be_known(command.details.category)
        now = self.clock.now()
        return await self.products.add(
            command.sku, lambda product: product.create(command.details, command.list_price, now)
        )

    async def describe_product(self, command: DescribeProduct) -> Committed[Product]:
        """Replaces the whole description of a product."""
        await self.categories.must_be_known(command.details.category)
        return await self.products.change(command.sku, lambda product: product.describe(command.details))

    async def change_price(self, command: ChangePrice) -> Committed[Product]:
        now = self.clock.now()
        return await self.products.change(command.sku, lambda product: product.change_price(command.list_price, now))

    async def start_promotion(self, command: StartPromotion) -> Committed[Product]:
        """Lowers the price of a product for a limited time."""
        now = self.clock.now()
        return await self.products.change(command.sku, lambda product: product.start_promotion(command.promotion, now))

    async def end_promotion(self, command: EndPromotion) -> Committed[Product]:
        now = self.clock.now()
        return await self.products.change(command.sku, lambda product: product.end_promotion(now))

    async def discontinue_product(self, command: DiscontinueProduct) -> Committed[Product]:
        """Takes a product out of sale."""
        return await self.products.change(command.sku, lambda product: product.discontinue(command.reason))

    async def submit_review(self, command: SubmitReview) -> tuple[Committed[Review], Opinion]:
        """Records a review of an existing product. A discontinued product may be reviewed too."""
        await self.products.get(command.opinion.sku)
        now = self.clock.now()
        opinion, author = await self.authors.keep(command.opinion)

        def decide(review: Review) -> None:
            author.must_be_known()
            review.submit(opinion, now)

        return await self._shown(await self.reviews.add(command.review_id, decide))

    async def moderate_review(self, command: ModerateReview) -> tuple[Committed[Review], Opinion]:
        """Publishes or rejects a review."""
        if command.publish:
            return await self._shown(await self.reviews.change(command.review_id, Review.publish))
        moderated = await self.reviews.change(command.review_id, lambda review: review.reject(command.reason))
        return await self._shown(moderated)

    async def get_product(self, sku: str) -> tuple[Committed[Product], Money | None, Money | None]:
        """Returns one product, its current price, and the lowest price of the 30 days before."""
        found, now = await self.products.get(sku), self.clock.now()
        return found, found.state.price_at(now), found.state.lowest_price_before(now)

    async def search_products(self, query: SearchProducts) -> tuple[list[ProductRow], Key | None]:
        """Returns a page of products, sorted by name, and the key of the next page, or None at the end."""
        where = _conditions(query)
        if query.category:
            where["category"] = Among(await self.categories.with_parts(query.category))
        return await self.product_rows.page(where, query.page)

    async def list_reviews(self, query: ListReviews) -> tuple[list[ReviewRow], Key | None]:
        """Returns a page of reviews, the newest first, and the key of the next page, or None at the end."""
        where: dict[str, Any] = {"status": query.status.value}
        if query.sku:
            where["sku"] = query.sku
        rows, after = await self.review_rows.page(where, query.page)
        opinions = await asyncio.gather(*(self.authors.shown(row.opinion) for row in rows))
        return [replace(row, opinion=opinion) for row, opinion in zip(rows, opinions, strict=True)], after

    async def _shown(self, review: Committed[Review]) -> tuple[Committed[Review], Opinion]:
        assert review.state.opinion is not None
        return review, await self.authors.shown(review.state.opinion)


def _conditions(query: SearchProducts) -> dict[str, Any]:
    where: dict[str, Any] = {}
    if query.text:
        where["words"] = Words(query.text)
    if not query.include_discontinued:
        where["discontinued"] = False
    return {**where, **_prices(query.lowest, query.highest)}


def _prices(lowest: Money | None, highest: Money | None) -> dict[str, Any]:
    bounds = [bound for bound in (lowest, highest) if bound is not None]
    if not bounds:
        return {}
    if len({bound.currency for bound in bounds}) > 1:
        raise Invalid("the lowest and the highest price must be in the same currency", field="highest_price.currency")
    low, high = (bound and bound.minor_units for bound in (lowest, highest))
    return {"currency": bounds[0].currency, "price": Between(low=low, high=high)}
