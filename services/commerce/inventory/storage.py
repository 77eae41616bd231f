"""The stored names of Inventory's aggregates, events, calls and read models.

A name here never changes. If the fields of an event or call change, its shape gets an upcast.
"""

from treaty.commits import Names, Shape, Stored
from treaty.projections import Projection

from services.commerce.inventory.application.allocations import ExpireAllocation
from services.commerce.inventory.domain import allocations, stock, warehouses
from services.commerce.inventory.projections import StockRow, stock_level

STOCK = Stored(
    "stock",
    stock.StockItem,
    events=[
        Shape("item-registered", stock.ItemRegistered),
        Shape("item-managed", stock.ItemManaged),
        Shape("item-discontinued", stock.ItemDiscontinued),
        Shape("stock-received", stock.StockReceived),
        Shape("stock-adjusted", stock.StockAdjusted),
        Shape("stock-reserved", stock.StockReserved),
        Shape("stock-freed", stock.StockFreed),
        Shape("stock-shipped", stock.StockShipped),
        Shape("stock-returned", stock.StockReturned),
        Shape("stock-written-off", stock.StockWrittenOff),
        Shape("reorder-needed", stock.ReorderNeeded),
    ],
)

ALLOCATIONS = Stored(
    "allocation",
    allocations.Allocation,
    events=[
        Shape("allocation-requested", allocations.AllocationRequested),
        Shape("order-allocated", allocations.OrderAllocated),
        Shape("order-not-allocated", allocations.OrderNotAllocated),
        Shape("order-confirmed", allocations.OrderConfirmed),
        Shape("order-completed", allocations.OrderCompleted),
        Shape("allocation-secured", allocations.AllocationSecured),
        Shape("allocation-fulfilled", allocations.AllocationFulfilled),
        Shape("allocation-cancelled", allocations.AllocationCancelled),
        Shape("order-released", allocations.OrderReleased),
        Shape("pieces-returned", allocations.PiecesReturned),
    ],
)

WAREHOUSES = Stored(
    "warehouse", warehouses.Warehouse, events=[Shape("warehouse-registered", warehouses.WarehouseRegistered)]
)

COMMANDS = Names([Shape("expire-allocation", ExpireAllocation)])

STOCK_LEVELS = Projection(
    name="stock",
    source=STOCK,
    row=StockRow,
    project=stock_level,
    order_by="rank",
    filters=("warehouse", "sku", "to_reorder"),
    descending=False,
)
