"""The use cases of Catalog, with their commands and queries."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.domain import Call, Invalid, NotFound, Rejected
from treaty.personal_data import ERASED_AGAIN, PersonalData
from treaty.projections import FIRST, Between, Key, Page, View, Words

from services.commerce.catalog.domain.authors import Author
from services.commerce.catalog.domain.categories import Category
from services.commerce.catalog.domain.events import AuthorEvent, AuthorForgotten
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
class CreateCategory:
    slug: str
    name: str
    parent: str


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
class ForgetAuthor:
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseReviews:
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchProducts:
    """A product is found if all conditions hold. A condition that is empty or None always holds."""

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
class Authors:
    """Keeps the words of reviews where they can be erased, and erases them when their author is forgotten."""

    authors: Repository[Author]
    personal_data: PersonalData

    async def forget(self, command: ForgetAuthor) -> Committed[Author]:
        """Records that a customer is forgotten, and then erases the words of the customer's reviews.

        A call that has read the author before may store words afterwards, so they are erased once more a day later.
        """
        forgotten = await self.authors.add(command.customer_id, Author.forget)
        await self.personal_data.erase(command.customer_id)
        return forgotten

    async def erase_reviews(self, command: EraseReviews) -> None:
        await self.personal_data.erase(command.customer_id)

    async def get(self, customer_id: str) -> Author:
        """Returns an author, or a blank one."""
        try:
            return (await self.authors.get(customer_id)).state
        except NotFound:
            return Author(id=customer_id)

    async def keep(self, opinion: Opinion) -> tuple[Opinion, Author]:
        """Stores the words of an opinion. Returns the opinion with a reference to them, and its author.

        Nothing is stored for a customer who is forgotten.
        """
        author = await self.get(opinion.author)
        words = {"title": opinion.title, "text": opinion.text}
        ref = "" if author.forgotten else await self.personal_data.keep(author.id, words)
        return replace(opinion, title="", text="", ref=ref), author

    async def shown(self, opinion: Opinion) -> Opinion:
        """Returns an opinion as readers see it: without words and author once the author is forgotten."""
        nobody = replace(opinion, author="", title="", text="")
        if opinion.ref:
            words = await self.personal_data.find(opinion.ref)
            return nobody if words is None else replace(opinion, title=words["title"], text=words["text"])
        return nobody if (await self.get(opinion.author)).forgotten else opinion


def erase_again(author: Author, event: AuthorEvent) -> Iterator[Call]:
    """Policy: erases the words once more when nobody can be storing some any longer."""
    match event:
        case AuthorForgotten():
            yield Call(EraseReviews(customer_id=author.id), after=ERASED_AGAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The use cases of Catalog.

    If a command refers to another aggregate, the use case checks that it exists before the command is decided.
    Categories and products are never removed, so the reference stays valid.
    """

    products: Repository[Product]
    categories: Repository[Category]
    reviews: Repository[Review]
    authors: Authors
    product_rows: View[ProductRow]
    review_rows: View[ReviewRow]
    clock: Clock

    async def create_product(self, command: CreateProduct) -> Committed[Product]:
        """Adds a product to the catalogue. If it names a category, the category must exist."""
        await self._must_be_known(command.details.category)
        now = self.clock.now()
        return await self.products.add(
            command.sku, lambda product: product.create(command.details, command.list_price, now)
        )

    async def describe_product(self, command: DescribeProduct) -> Committed[Product]:
        """Replaces the whole description of a product."""
        await self._must_be_known(command.details.category)
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

    async def create_category(self, command: CreateCategory) -> Committed[Category]:
        """Creates a category, at the top level or as a part of an existing category."""
        if command.parent != command.slug:
            await self._must_be_known(command.parent)
        return await self.categories.add(command.slug, lambda category: category.create(command.name, command.parent))

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

    async def get_product(self, sku: str) -> tuple[Committed[Product], Money | None]:
        """Returns one product and its current price."""
        found = await self.products.get(sku)
        return found, found.state.price_at(self.clock.now())

    async def get_category(self, slug: str) -> Committed[Category]:
        return await self.categories.get(slug)

    async def search_products(self, query: SearchProducts) -> tuple[list[ProductRow], Key | None]:
        """Returns a page of products, sorted by name, and the key of the next page, or None at the end."""
        return await self.product_rows.page(_conditions(query), query.page)

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

    async def _must_be_known(self, category: str) -> None:
        if not category:
            return
        try:
            await self.categories.get(category)
        except NotFound:
            raise Rejected(f"there is no category {category}", reason="CATEGORY_UNKNOWN") from None


def _conditions(query: SearchProducts) -> dict[str, Any]:
    where: dict[str, Any] = {}
    if query.text:
        where["words"] = Words(query.text)
    if query.category:
        where["category"] = query.category
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
