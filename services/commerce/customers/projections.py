"""The read models of Customers: customers by tier, and the history of each customer."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.commerce.customers.domain.events import (
    CustomerDowngraded,
    CustomerEvent,
    CustomerForgotten,
    CustomerPromoted,
    CustomerRegistered,
    PurchaseNoted,
    ReturnNoted,
    TierKept,
)
from services.commerce.customers.domain.tiers import Purchase, Return, Tier
from services.commerce.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRow:
    """A registered customer in a list."""

    customer_id: str
    tier: Tier
    registered_at: datetime


def customer_row(customer_id: str, row: CustomerRow | None, event: CustomerEvent) -> CustomerRow | None:
    """Projects an event of a customer onto their row."""
    match event:
        case CustomerRegistered():
            return CustomerRow(customer_id=customer_id, tier=Tier.STANDARD, registered_at=event.registered_at)
        case CustomerPromoted() | CustomerDowngraded():
            return row and replace(row, tier=event.new)
        case PurchaseNoted() | ReturnNoted() | TierKept() | CustomerForgotten():
            return row


class Kind(StrEnum):
    REGISTERED = "registered"
    PURCHASE = "purchase"
    RETURN = "return"
    PROMOTION = "promotion"
    DOWNGRADE = "downgrade"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An entry in the history of a customer. `kind` determines which of the other fields are set."""

    customer_id: str
    kind: Kind
    at: datetime
    order_id: str = ""
    amount: Money | None = None
    previous: Tier | None = None
    new: Tier | None = None
    reason: str = ""


def happening_id(customer_id: str, event: CustomerEvent) -> str | None:
    """Returns the id of the row of an event, or None if it has no row. The same event always has the same row."""
    match event:
        case CustomerRegistered():
            return f"{customer_id}/registered"
        case PurchaseNoted():
            return f"{customer_id}/{event.purchase.order_id}/purchase"
        case ReturnNoted():
            return f"{customer_id}/{event.returned.return_id}/return"
        case CustomerPromoted() | CustomerDowngraded():
            return f"{customer_id}/{event.number}/tier"
        case CustomerForgotten():
            return f"{customer_id}/forgotten"
        case TierKept():
            return None


def happening(row_id: str, row: Happening | None, event: CustomerEvent) -> Happening | None:
    """Projects an event onto its row. The part of the row's id before the first slash is the customer's id."""
    customer_id, _, _ = row_id.partition("/")
    match event:
        case CustomerRegistered():
            return Happening(customer_id=customer_id, kind=Kind.REGISTERED, at=event.registered_at)
        case PurchaseNoted():
            return _bought(customer_id, event.purchase)
        case ReturnNoted():
            return _given_back(customer_id, event.returned)
        case CustomerPromoted():
            return _moved(customer_id, Kind.PROMOTION, event)
        case CustomerDowngraded():
            return _moved(customer_id, Kind.DOWNGRADE, event)
        case CustomerForgotten():
            return row or Happening(customer_id=customer_id, kind=Kind.FORGOTTEN, at=event.forgotten_at)
        case TierKept():
            return row


def _bought(customer_id: str, bought: Purchase) -> Happening:
    return Happening(
        customer_id=customer_id,
        kind=Kind.PURCHASE,
        at=bought.completed_at,
        order_id=bought.order_id,
        amount=bought.amount,
    )


def _given_back(customer_id: str, back: Return) -> Happening:
    return Happening(
        customer_id=customer_id, kind=Kind.RETURN, at=back.noted_at, order_id=back.order_id, amount=back.amount
    )


def _moved(customer_id: str, kind: Kind, event: CustomerPromoted | CustomerDowngraded) -> Happening:
    return Happening(
        customer_id=customer_id,
        kind=kind,
        at=event.changed_at,
        previous=event.previous,
        new=event.new,
        reason=event.reason,
    )
