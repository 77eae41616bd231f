"""The anti-corruption layer: translates the events of other contexts to commands and facts of Ordering."""

from commerce.catalog.v1 import catalog_events_pb2 as catalog
from commerce.customers.v1 import customers_events_pb2 as customers
from commerce.inventory.v1 import inventory_events_pb2 as inventory
from commerce.payments.v1 import payments_events_pb2 as payments
from commerce.payments.v2 import payments_events_pb2 as payments2
from commerce.shipping.v1 import shipping_events_pb2 as shipping
from treaty.projections import words_of

from services.commerce.ordering.application.buyers import ForgetBuyer, NoteTier
from services.commerce.ordering.application.commands import NoteRefund, NoteRefusedRefund, ShipmentNews
from services.commerce.ordering.application.offers import (
    DescribeOffer,
    OfferProduct,
    PriceOffer,
    StockOffer,
    WithdrawOffer,
)
from services.commerce.ordering.domain.pricing import Promotion, Tier
from services.commerce.ordering.sagas.checkout import PaymentAnswered, StockAnswered, StockLost
from services.commerce.wire import money_from_wire, time_from_wire

CANCELLATION = "cancellation"
"""The id of the refund that Payments makes for a cancelled order."""

_TIERS = {customers.TIER_GOLD: Tier.GOLD, customers.TIER_VIP: Tier.VIP}


def product_created(event: catalog.ProductCreated) -> OfferProduct:
    return OfferProduct(
        sku=event.sku,
        name=event.name,
        category=event.category,
        words=words_of(event.name, event.description, *event.tags),
        list_price=money_from_wire(event.list_price),
    )


def product_changed(event: catalog.ProductChanged) -> DescribeOffer:
    words = words_of(event.name, event.description, *event.tags)
    return DescribeOffer(sku=event.sku, name=event.name, category=event.category, words=words)


def price_changed(event: catalog.PriceChanged) -> PriceOffer:
    promotion = _promotion(event.promotion) if event.HasField("promotion") else None
    return PriceOffer(sku=event.sku, list_price=money_from_wire(event.list_price), promotion=promotion)


def _promotion(promotion: catalog.Promotion) -> Promotion:
    return Promotion(
        price=money_from_wire(promotion.price),
        starts_at=time_from_wire(promotion.starts_at),
        ends_at=time_from_wire(promotion.ends_at),
    )


def product_discontinued(event: catalog.ProductDiscontinued) -> WithdrawOffer:
    return WithdrawOffer(sku=event.sku)


def customer_registered(event: customers.CustomerRegistered) -> NoteTier:
    return NoteTier(customer_id=event.customer_id, tier=Tier.STANDARD)


def customer_tier_changed(event: customers.CustomerTierChanged) -> NoteTier:
    """An unknown tier is treated as the lowest one."""
    return NoteTier(customer_id=event.customer_id, tier=_TIERS.get(event.new_tier, Tier.STANDARD))


def customer_forgotten(event: customers.CustomerForgotten) -> ForgetBuyer:
    return ForgetBuyer(customer_id=event.customer_id)


def stock_level_changed(event: inventory.StockLevelChanged) -> StockOffer:
    """Inventory counts pieces on hand, reserved and expired. Ordering only needs the number that can be bought."""
    available = max(event.on_hand - event.reserved - event.expired, 0)
    return StockOffer(sku=event.sku, warehouse=event.warehouse, available=available)


def stock_allocated(event: inventory.StockAllocated) -> StockAnswered:
    return StockAnswered(order_id=event.order_id, allocated=True)


def allocation_refused(event: inventory.AllocationRefused) -> StockAnswered:
    return StockAnswered(order_id=event.order_id, allocated=False, reason=f"out of stock: {event.reason}")


def allocation_released(event: inventory.AllocationReleased) -> StockLost | None:
    """Ignores a release that follows from a cancellation, because Ordering cancelled the order itself."""
    if event.reason != inventory.RELEASE_REASON_EXPIRED:
        return None
    return StockLost(order_id=event.order_id)


def allocation_spoilt(event: inventory.AllocationSpoilt) -> StockLost:
    return StockLost(order_id=event.order_id, reason=f"{event.sku} passed its last day before it was sent")


def payment_authorised(event: payments.PaymentAuthorised) -> PaymentAnswered:
    return PaymentAnswered(order_id=event.order_id, authorised=True)


def payment_failed(event: payments.PaymentFailed) -> PaymentAnswered:
    return PaymentAnswered(order_id=event.order_id, authorised=False, reason=f"payment failed: {event.reason}")


def payment_refunded(event: payments2.PaymentRefunded) -> NoteRefund | None:
    """Ignores the refund of a cancelled order, because such an order is no sale."""
    if event.refund_id == CANCELLATION:
        return None
    return NoteRefund(order_id=event.order_id, refund_id=event.refund_id, amount=money_from_wire(event.amount))


def refund_refused(event: payments.RefundRefused) -> NoteRefusedRefund | None:
    if event.refund_id == CANCELLATION:
        return None
    return NoteRefusedRefund(
        order_id=event.order_id,
        refund_id=event.refund_id,
        amount=money_from_wire(event.amount),
        reason=event.reason,
    )


def shipment_created(event: shipping.ShipmentCreated) -> ShipmentNews:
    return ShipmentNews(order_id=event.order_id, kind="prepared")


def shipment_dispatched(event: shipping.ShipmentDispatched) -> ShipmentNews:
    return ShipmentNews(
        order_id=event.order_id,
        kind="dispatched",
        carrier=event.carrier,
        tracking_number=event.tracking_number,
        at=time_from_wire(event.dispatched_at),
    )


def shipment_cancelled(event: shipping.ShipmentCancelled) -> ShipmentNews:
    return ShipmentNews(order_id=event.order_id, kind="cancelled", why=event.reason)


def delivery_confirmed(event: shipping.DeliveryConfirmed) -> ShipmentNews:
    return ShipmentNews(order_id=event.order_id, kind="delivered", at=time_from_wire(event.delivered_at))


def delivery_failed(event: shipping.DeliveryFailed) -> ShipmentNews:
    return ShipmentNews(order_id=event.order_id, kind="failed", why=event.reason)
