"""The domain events of Ordering: of orders, offers and buyers."""

from dataclasses import dataclass
from datetime import datetime

from services.commerce.money import Money
from services.commerce.ordering.domain.pricing import Delivery, Line, Promotion, Tier, Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftStarted:
    customer_id: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftChanged:
    lines: tuple[Line, ...]
    delivery: Delivery | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    """Stored in version 2. Version 1 had only the total of the lines, and no delivery."""

    customer_id: str
    lines: tuple[Line, ...]
    totals: Totals
    delivery: Delivery | None
    tier: Tier
    placed_at: datetime
    answer_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChanged:
    delivery: Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfirmed:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationRequested:
    """The order is cancelled once its shipment is stopped."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationRefused:
    """The order is not cancelled: it was too late to stop the shipment."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentPrepared:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDispatched:
    carrier: str
    tracking_number: str
    dispatched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCompleted:
    """The customer has the goods. `refunded` is the part of the total that was given back before, in minor units."""

    completed_at: datetime
    total: Money
    pieces: int
    refunded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefunded:
    """Money of the order was given back that belongs to no return, such as for goodwill.

    `delivered` is false if that was before the delivery: the order may be cancelled yet, and be no sale.
    """

    refund_id: str
    amount: Money
    refunded_at: datetime
    delivered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRequested:
    return_id: str
    lines: tuple[Line, ...]
    refund: Money
    reason: str
    arrive_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnReceived:
    return_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnCompleted:
    return_id: str
    refund: Money
    completed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnClosed:
    return_id: str
    reason: str


OrderEvent = (
    DraftStarted
    | DraftChanged
    | OrderPlaced
    | AddressChanged
    | OrderConfirmed
    | CancellationRequested
    | CancellationRefused
    | OrderCancelled
    | ShipmentPrepared
    | OrderDispatched
    | OrderCompleted
    | OrderRefunded
    | ReturnRequested
    | ReturnReceived
    | ReturnCompleted
    | ReturnClosed
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDescribed:
    name: str
    category: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferPriced:
    list_price: Money
    promotion: Promotion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityChanged:
    warehouse: str
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferWithdrawn:
    pass


OfferEvent = OfferDescribed | OfferPriced | AvailabilityChanged | OfferWithdrawn


@dataclass(frozen=True, slots=True, kw_only=True)
class TierNoted:
    tier: Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyerForgotten:
    pass


BuyerEvent = TierNoted | BuyerForgotten
