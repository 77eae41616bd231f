"""How Inventory's aggregates are named on disk. A name here never changes; a shape gets an upcast."""

from treaty.codec import Shape
from treaty.stored import Stored

from services.commerce.inventory import domain

STOCK = Stored(
    "stock",
    domain.StockItem,
    events=[
        Shape("item-registered", domain.ItemRegistered),
        Shape("stock-received", domain.StockReceived),
        Shape("stock-adjusted", domain.StockAdjusted),
        Shape("stock-reserved", domain.StockReserved),
        Shape("stock-freed", domain.StockFreed),
    ],
)

ALLOCATIONS = Stored(
    "allocation",
    domain.Allocation,
    events=[
        Shape("allocation-requested", domain.AllocationRequested),
        Shape("order-allocated", domain.OrderAllocated),
        Shape("order-not-allocated", domain.OrderNotAllocated),
        Shape("allocation-cancelled", domain.AllocationCancelled),
        Shape("order-released", domain.OrderReleased),
    ],
)
