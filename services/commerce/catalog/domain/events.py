"""The domain events of Catalog."""

from dataclasses import dataclass
from datetime import datetime

from services.commerce.catalog.domain.values import Details, Opinion, Promotion
from services.commerce.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryCreated:
    name: str
    parent: str


CategoryEvent = CategoryCreated


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductCreated:
    details: Details
    list_price: Money
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductDescribed:
    details: Details


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChanged:
    list_price: Money
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionStarted:
    promotion: Promotion
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionEnded:
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductDiscontinued:
    reason: str


ProductEvent = (
    ProductCreated | ProductDescribed | PriceChanged | PromotionStarted | PromotionEnded | ProductDiscontinued
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSubmitted:
    opinion: Opinion
    submitted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPublished:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRejected:
    reason: str


ReviewEvent = ReviewSubmitted | ReviewPublished | ReviewRejected


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorForgotten:
    pass


AuthorEvent = AuthorForgotten
