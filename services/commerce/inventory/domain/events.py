"""The domain events of Inventory."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.commerce.inventory.domain.batches import Batches
from services.commerce.inventory.domain.values import Lines, Release
from services.commerce.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRequested:
    lines: Lines


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAllocated:
    expires_at: datetime | None = None
    held: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNotAllocated:
    sku: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfirmed:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCompleted:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationSecured:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationFulfilled:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationCancelled:
    reason: Release = Release.ORDER_CANCELLED


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReleased:
    lines: Lines
    reason: Release = Release.ORDER_CANCELLED


@dataclass(frozen=True, slots=True, kw_only=True)
class PiecesReturned:
    return_id: str
    lines: Lines


AllocationEvent = (
    AllocationRequested
    | OrderAllocated
    | OrderNotAllocated
    | OrderConfirmed
    | OrderCompleted
    | AllocationSecured
    | AllocationFulfilled
    | AllocationCancelled
    | OrderReleased
    | PiecesReturned
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRegistered:
    """`from_catalogue` is true if an event of Catalog created the item, and nobody registered it."""

    warehouse: str
    sku: str
    description: str
    from_catalogue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemManaged:
    bar_code: str
    reorder_point: int
    reorder_quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDiscontinued:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReceived:
    quantity: int
    expires_on: str = ""
    unit_cost: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockAdjusted:
    delta: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReserved:
    """`batches` has the reserved pieces that have a last day. Before it was stored, no pieces were chosen."""

    order_id: str
    quantity: int
    batches: Batches = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StockFreed:
    order_id: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StockShipped:
    """`batches` has the pieces that had a last day. It is None in old events: those with the earliest day left."""

    order_id: str
    quantity: int
    batches: Batches | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReturned:
    order_id: str
    return_id: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StockExpired:
    """Pieces whose last day was before `today` are sold no longer. Such pieces were reserved for the `orders`."""

    today: str
    quantity: int
    orders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StockWrittenOff:
    """Expired pieces were removed: their last day was before `today`."""

    quantity: int
    today: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorderNeeded:
    available: int
    reorder_point: int
    reorder_quantity: int


StockEvent = (
    ItemRegistered
    | ItemManaged
    | ItemDiscontinued
    | StockReceived
    | StockAdjusted
    | StockReserved
    | StockFreed
    | StockShipped
    | StockReturned
    | StockExpired
    | StockWrittenOff
    | ReorderNeeded
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WarehouseRegistered:
    name: str
    country: str
