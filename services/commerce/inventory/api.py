"""The gRPC API of Inventory: translates requests, calls the use cases, translates their results."""

from collections.abc import Iterable, Mapping
from typing import Any

from commerce.inventory.v1 import inventory_service_pb2 as pb
from commerce.inventory.v1 import inventory_service_pb2_grpc as pb_grpc
from treaty.rpc import EnumTable, page_of, to_token

from services.commerce.inventory.application.allocations import Allocations, TakeBack
from services.commerce.inventory.application.stock import (
    AdjustStock,
    GetStock,
    ListStock,
    ManageItem,
    ReceiveStock,
    RegisterItem,
    RegisterWarehouse,
    Stock,
    WriteOffExpired,
)
from services.commerce.inventory.domain.allocations import Allocation, Status
from services.commerce.inventory.domain.stock import StockItem
from services.commerce.inventory.domain.values import DEFAULT_WAREHOUSE
from services.commerce.inventory.projections import StockRow
from services.commerce.wire import money_from_wire, money_to_wire, time_to_wire

_STATUS = EnumTable(
    {
        Status.NEW: pb.ALLOCATION_STATUS_UNSPECIFIED,
        Status.REQUESTED: pb.ALLOCATION_STATUS_REQUESTED,
        Status.ALLOCATED: pb.ALLOCATION_STATUS_ALLOCATED,
        Status.SECURED: pb.ALLOCATION_STATUS_SECURED,
        Status.FULFILLED: pb.ALLOCATION_STATUS_FULFILLED,
        Status.REFUSED: pb.ALLOCATION_STATUS_REFUSED,
        Status.CANCELLED: pb.ALLOCATION_STATUS_RELEASED,
        Status.RELEASED: pb.ALLOCATION_STATUS_RELEASED,
    }
)


class InventoryApi(pb_grpc.InventoryServiceServicer):
    def __init__(self, stock: Stock, allocations: Allocations) -> None:
        self._stock, self._allocations = stock, allocations

    async def RegisterItem(self, request: pb.RegisterItemRequest, context: Any) -> pb.RegisterItemResponse:
        command = RegisterItem(
            warehouse=request.warehouse or DEFAULT_WAREHOUSE, sku=request.sku, description=request.description
        )
        registered = await self._stock.register_item(command)
        return pb.RegisterItemResponse(item=_item(registered.state), revision=registered.revision)

    async def ReceiveStock(self, request: pb.ReceiveStockRequest, context: Any) -> pb.ReceiveStockResponse:
        command = ReceiveStock(
            warehouse=request.warehouse,
            sku=request.sku,
            quantity=request.quantity,
            expires_on=request.expires_on,
            unit_cost=money_from_wire(request.unit_cost) if request.HasField("unit_cost") else None,
        )
        received = await self._stock.receive_stock(command)
        return pb.ReceiveStockResponse(item=_item(received.state), revision=received.revision)

    async def AdjustStock(self, request: pb.AdjustStockRequest, context: Any) -> pb.AdjustStockResponse:
        command = AdjustStock(warehouse=request.warehouse, sku=request.sku, delta=request.delta, reason=request.reason)
        adjusted = await self._stock.adjust_stock(command)
        return pb.AdjustStockResponse(item=_item(adjusted.state), revision=adjusted.revision)

    async def ManageItem(self, request: pb.ManageItemRequest, context: Any) -> pb.ManageItemResponse:
        command = ManageItem(
            warehouse=request.warehouse,
            sku=request.sku,
            bar_code=request.bar_code,
            reorder_point=request.reorder_point,
            reorder_quantity=request.reorder_quantity,
        )
        managed = await self._stock.manage_item(command)
        return pb.ManageItemResponse(item=_item(managed.state), revision=managed.revision)

    async def WriteOffExpired(self, request: pb.WriteOffExpiredRequest, context: Any) -> pb.WriteOffExpiredResponse:
        command = WriteOffExpired(warehouse=request.warehouse, sku=request.sku)
        written_off = await self._stock.write_off_expired(command)
        return pb.WriteOffExpiredResponse(item=_item(written_off.state), revision=written_off.revision)

    async def RegisterWarehouse(
        self, request: pb.RegisterWarehouseRequest, context: Any
    ) -> pb.RegisterWarehouseResponse:
        command = RegisterWarehouse(warehouse=request.warehouse, name=request.name, country=request.country)
        registered = await self._stock.register_warehouse(command)
        return pb.RegisterWarehouseResponse(warehouse=registered.state.id, revision=registered.revision)

    async def TakeBack(self, request: pb.TakeBackRequest, context: Any) -> pb.TakeBackResponse:
        command = TakeBack(
            order_id=request.order_id.lower(),
            return_id=request.return_id.lower(),
            pieces=_by_sku(request.pieces),
        )
        taken = await self._allocations.take_back(command)
        return pb.TakeBackResponse(allocation=_allocation(taken.state), revision=taken.revision)

    async def GetStock(self, request: pb.GetStockRequest, context: Any) -> pb.GetStockResponse:
        found = await self._stock.get_stock(GetStock(warehouse=request.warehouse, sku=request.sku))
        return pb.GetStockResponse(item=_item(found.state), revision=found.revision)

    async def GetAllocation(self, request: pb.GetAllocationRequest, context: Any) -> pb.GetAllocationResponse:
        found = await self._allocations.get_allocation(request.order_id.lower())
        return pb.GetAllocationResponse(allocation=_allocation(found.state), revision=found.revision)

    async def ListStock(self, request: pb.ListStockRequest, context: Any) -> pb.ListStockResponse:
        query = ListStock(
            warehouse=request.warehouse, sku=request.sku, to_reorder=request.to_reorder, page=page_of(request)
        )
        rows, after = await self._stock.list_stock(query)
        return pb.ListStockResponse(items=[_item(row) for row in rows], next_page_token=to_token(after))


def _by_sku(pieces: Iterable[pb.ReturnedPieces]) -> Mapping[str, int]:
    """Returns the number of returned pieces of each SKU. A SKU may be in several lines."""
    sums: dict[str, int] = {}
    for one in pieces:
        sums[one.sku] = sums.get(one.sku, 0) + one.quantity
    return sums


def _item(item: StockItem | StockRow) -> pb.StockItem:
    return pb.StockItem(
        warehouse=item.warehouse,
        sku=item.sku,
        description=item.description,
        on_hand=item.on_hand,
        reserved=item.reserved,
        available=item.available,
        bar_code=item.bar_code,
        reorder_point=item.reorder_point,
        reorder_quantity=item.reorder_quantity,
        unit_cost=None if item.unit_cost is None else money_to_wire(item.unit_cost),
        batches=[pb.Batch(expires_on=batch.expires_on, quantity=batch.quantity) for batch in item.batches],
        expired=item.expired,
    )


def _allocation(allocation: Allocation) -> pb.Allocation:
    return pb.Allocation(
        order_id=allocation.id,
        status=_STATUS.to_wire(allocation.status),
        lines=[
            pb.AllocationLine(sku=line.sku, warehouse=line.warehouse, quantity=line.quantity)
            for line in allocation.outstanding
        ],
        expires_at=None if allocation.expires_at is None else time_to_wire(allocation.expires_at),
    )
