"""Translates the domain events of Catalog to integration events."""

from collections.abc import Iterator
from datetime import datetime

from commerce.catalog.v1 import catalog_events_pb2 as events

from services.commerce.catalog.domain.events import (
    PriceChanged,
    ProductCreated,
    ProductDescribed,
    ProductDiscontinued,
    ProductEvent,
    PromotionEnded,
    PromotionStarted,
)
from services.commerce.catalog.domain.products import Product
from services.commerce.catalog.domain.values import Promotion
from services.commerce.wire import money_to_wire, time_to_wire

Published = events.ProductCreated | events.ProductChanged | events.PriceChanged | events.ProductDiscontinued
"""The integration events of `publish`."""


def publish(product: Product, event: ProductEvent) -> Iterator[Published]:
    """Policy: announces new, changed and discontinued products, and every change of a price or promotion."""
    match event:
        case ProductCreated():
            yield events.ProductCreated(
                sku=product.id,
                name=event.details.name,
                description=event.details.description,
                category=event.details.category,
                tags=sorted(event.details.tags),
                list_price=money_to_wire(event.list_price),
                created_at=time_to_wire(event.created_at),
            )
        case ProductDescribed():
            yield events.ProductChanged(
                sku=product.id,
                name=event.details.name,
                description=event.details.description,
                category=event.details.category,
                tags=sorted(event.details.tags),
            )
        case PriceChanged() | PromotionStarted() | PromotionEnded():
            yield _price(product, event.changed_at)
        case ProductDiscontinued():
            yield events.ProductDiscontinued(sku=product.id, reason=event.reason)


def _price(product: Product, at: datetime) -> events.PriceChanged:
    assert product.list_price is not None
    promotion = product.promotion_at(at)
    return events.PriceChanged(
        sku=product.id,
        list_price=money_to_wire(product.list_price),
        promotion=None if promotion is None else promotion_to_wire(promotion),
        changed_at=time_to_wire(at),
    )


def promotion_to_wire(promotion: Promotion) -> events.Promotion:
    """Returns the protobuf message of a promotion."""
    return events.Promotion(
        price=money_to_wire(promotion.price),
        starts_at=time_to_wire(promotion.starts_at),
        ends_at=time_to_wire(promotion.ends_at),
    )
