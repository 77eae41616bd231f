"""Translates the domain events of Customers to integration events. None of them contains personal data."""

from collections.abc import Iterator

from commerce.customers.v1 import customers_events_pb2 as events
from treaty.rpc import EnumTable

from services.commerce.customers.domain.customer import Customer
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
from services.commerce.customers.domain.tiers import Tier
from services.commerce.wire import time_to_wire

TIERS = EnumTable({Tier.STANDARD: events.TIER_STANDARD, Tier.GOLD: events.TIER_GOLD, Tier.VIP: events.TIER_VIP})


Published = events.CustomerRegistered | events.CustomerTierChanged | events.CustomerForgotten
"""The integration events of `publish`."""


def publish(customer: Customer, event: CustomerEvent) -> Iterator[Published]:
    """Policy: announces new customers, changes of their tiers, and that their personal data must be erased."""
    match event:
        case CustomerRegistered():
            yield events.CustomerRegistered(customer_id=customer.id, registered_at=time_to_wire(event.registered_at))
        case CustomerPromoted() | CustomerDowngraded():
            yield events.CustomerTierChanged(
                customer_id=customer.id,
                previous_tier=TIERS.to_wire(event.previous),
                new_tier=TIERS.to_wire(event.new),
                reason=event.reason,
                changed_at=time_to_wire(event.changed_at),
            )
        case CustomerForgotten():
            yield events.CustomerForgotten(customer_id=customer.id, forgotten_at=time_to_wire(event.forgotten_at))
        case PurchaseNoted() | ReturnNoted() | TierKept():
            return
