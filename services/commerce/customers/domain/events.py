"""The domain events of Customers."""

from dataclasses import dataclass
from datetime import datetime

from services.commerce.customers.domain.tiers import (
    Purchase,
    Return,
    Tier,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRegistered:
    """`private_ref` refers to name and e-mail address, until they are erased."""

    private_ref: str
    registered_at: datetime
    review_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseNoted:
    purchase: Purchase
    noted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnNoted:
    returned: Return


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPromoted:
    """`number` counts the changes of a customer's tier, from 1."""

    number: int
    previous: Tier
    new: Tier
    reason: str
    changed_at: datetime
    review_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerDowngraded:
    """`number` counts the changes of a customer's tier, from 1."""

    number: int
    previous: Tier
    new: Tier
    reason: str
    changed_at: datetime
    review_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TierKept:
    """A review found that the tier is still earned."""

    reviewed_at: datetime
    review_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerForgotten:
    forgotten_at: datetime


CustomerEvent = (
    CustomerRegistered
    | PurchaseNoted
    | ReturnNoted
    | CustomerPromoted
    | CustomerDowngraded
    | TierKept
    | CustomerForgotten
)
