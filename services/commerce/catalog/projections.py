"""The read models of Catalog: products for the search, categories, and reviews by product and status."""

from dataclasses import dataclass, replace
from datetime import datetime

from treaty.projections import words_of

from services.commerce.catalog.domain.events import (
    CategoryEvent,
    PriceChanged,
    ProductCreated,
    ProductDescribed,
    ProductDiscontinued,
    ProductEvent,
    PromotionEnded,
    PromotionStarted,
    ReviewEvent,
    ReviewPublished,
    ReviewRejected,
    ReviewSubmitted,
)
from services.commerce.catalog.domain.reviews import Status
from services.commerce.catalog.domain.values import Details, Opinion
from services.commerce.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRow:
    """A product in a list. `price` and `currency` repeat the list price, to filter by."""

    sku: str
    name: str
    category: str
    words: tuple[str, ...]
    list_price: Money
    price: int
    currency: str
    discontinued: bool = False


def product_row(sku: str, row: ProductRow | None, event: ProductEvent) -> ProductRow | None:
    """Projects an event of a product onto its row."""
    match event:
        case ProductCreated():
            return ProductRow(
                sku=sku,
                name=event.details.name,
                category=event.details.category,
                words=_words(event.details),
                list_price=event.list_price,
                price=event.list_price.minor_units,
                currency=event.list_price.currency,
            )
        case ProductDescribed():
            details = event.details
            return row and replace(row, name=details.name, category=details.category, words=_words(details))
        case PriceChanged():
            return row and replace(row, list_price=event.list_price, price=event.list_price.minor_units)
        case ProductDiscontinued():
            return row and replace(row, discontinued=True)
        case PromotionStarted() | PromotionEnded():
            return row


def _words(details: Details) -> tuple[str, ...]:
    return words_of(details.name, details.description, *details.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRow:
    """A category in a list."""

    slug: str
    name: str
    parent: str


def category_row(slug: str, row: CategoryRow | None, event: CategoryEvent) -> CategoryRow:
    """Projects the event of a category onto its row."""
    return CategoryRow(slug=slug, name=event.name, parent=event.parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRow:
    """A review in a list. `sku` repeats the SKU of the opinion, to filter by."""

    review_id: str
    sku: str
    status: Status
    opinion: Opinion
    submitted_at: datetime
    reason: str = ""


def review_row(review_id: str, row: ReviewRow | None, event: ReviewEvent) -> ReviewRow | None:
    """Projects an event of a review onto its row."""
    match event:
        case ReviewSubmitted():
            return ReviewRow(
                review_id=review_id,
                sku=event.opinion.sku,
                status=Status.PENDING,
                opinion=event.opinion,
                submitted_at=event.submitted_at,
            )
        case ReviewPublished():
            return row and replace(row, status=Status.PUBLISHED, reason="")
        case ReviewRejected():
            return row and replace(row, status=Status.REJECTED, reason=event.reason)
