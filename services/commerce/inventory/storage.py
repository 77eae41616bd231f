"""The stored names of Inventory's aggregates, events, calls and read models.

A name here never changes. If the fields of an event or call change, its shape gets an upcast.
"""

from treaty.commits import Names, Shape, Stored
from treaty.projections import Projection

from services.commerce.inventory.application.allocations import ExpireAllocation
from services.commerce.inventory.application.stock import ExpireStock, FollowProduct
from services.commerce.inventory.domain import allocations, events, stock, warehouses
from services.commerce.inventory.projections import StockRow, stock_level

STOCK = Stored(
    "stock",
    stock.StockItem,
    events=[
        Shape("item-registered", events.ItemRegistered),
        Shape("item-managed", events.ItemManaged),
        Shape("item-discontinued", events.ItemDiscontinued),
        Shape("stock-received", events.StockReceived),
        Shape("stock-adjusted", events.StockAdjusted),
        Shape("stock-reserved", events.StockReserved),
        Shape("stock-freed", events.StockFreed),
        Shape("stock-shipped", events.StockShipped),
        Shape("stock-returned", events.StockReturned),
        Shape("stock-expired", events.StockExpired),
        Shape("stock-written-off", events.StockWrittenOff),
        Shape("reorder-needed", events.ReorderNeeded),
    ],
)

ALLOCATIONS = Stored(
    "allocation",
    allocations.Allocation,
    events=[
        Shape("allocation-requested", events.AllocationRequested),
        Shape("order-allocated", events.OrderAllocated),
        Shape("order-not-allocated", events.OrderNotAllocated),
        Shape("order-confirmed", events.OrderConfirmed),
        Shape("order-completed", events.OrderCompleted),
        Shape("allocation-secured", events.AllocationSecured),
        Shape("allocation-fulfilled", events.AllocationFulfilled),
        Shape("allocation-cancelled", events.AllocationCancelled),
        Shape("order-released", events.OrderReleased),
        Shape("pieces-returned", events.PiecesReturned),
    ],
)

WAREHOUSES = Stored(
    "warehouse", warehouses.Warehouse, events=[Shape("warehouse-registered", events.WarehouseRegistered)]
)

COMMANDS = Names(
    [
        Shape("expire-allocation", ExpireAllocation),
        Shape("expire-stock", ExpireStock),
        Shape("follow-product", FollowProduct),
    ]
)

STOCK_LEVELS = Projection(
    name="stock",
    source=STOCK,
    row=StockRow,
    project=stock_level,
    order_by="rank",
    filters=("warehouse", "sku", "to_reorder"),
    descending=False,
)
