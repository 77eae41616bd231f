"""Inventory over gRPC: translate, call, translate."""

from typing import Any

from commerce.inventory.v1 import inventory_service_pb2 as pb
from commerce.inventory.v1 import inventory_service_pb2_grpc as pb_grpc
from treaty.service import Api

from services.commerce.inventory.application import AdjustStock, Inventory, ReceiveStock, RegisterItem
from services.commerce.inventory.domain import DEFAULT_WAREHOUSE, StockItem


class InventoryApi(pb_grpc.InventoryServiceServicer):
    """The servicer."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    async def RegisterItem(self, request: pb.RegisterItemRequest, context: Any) -> pb.RegisterItemResponse:
        command = RegisterItem(
            warehouse=request.warehouse or DEFAULT_WAREHOUSE, sku=request.sku, description=request.description
        )
        registered = await self._inventory.register_item(command)
        return pb.RegisterItemResponse(item=_item(registered.state), revision=registered.revision)

    async def ReceiveStock(self, request: pb.ReceiveStockRequest, context: Any) -> pb.ReceiveStockResponse:
        command = ReceiveStock(warehouse=request.warehouse, sku=request.sku, quantity=request.quantity)
        received = await self._inventory.receive_stock(command)
        return pb.ReceiveStockResponse(item=_item(received.state), revision=received.revision)

    async def AdjustStock(self, request: pb.AdjustStockRequest, context: Any) -> pb.AdjustStockResponse:
        command = AdjustStock(warehouse=request.warehouse, sku=request.sku, delta=request.delta, reason=request.reason)
        adjusted = await self._inventory.adjust_stock(command)
        return pb.AdjustStockResponse(item=_item(adjusted.state), revision=adjusted.revision)

    async def GetStock(self, request: pb.GetStockRequest, context: Any) -> pb.GetStockResponse:
        found = await self._inventory.get_stock(request.warehouse, request.sku)
        return pb.GetStockResponse(item=_item(found.state), revision=found.revision)


def api(inventory: Inventory) -> Api:
    """Returns Inventory's gRPC service."""
    add = pb_grpc.add_InventoryServiceServicer_to_server
    return Api(add, InventoryApi(inventory), pb.DESCRIPTOR.services_by_name["InventoryService"].full_name)


def _item(item: StockItem) -> pb.StockItem:
    return pb.StockItem(
        warehouse=item.warehouse,
        sku=item.sku,
        description=item.description,
        on_hand=item.on_hand,
        reserved=item.reserved,
        available=item.available,
    )
