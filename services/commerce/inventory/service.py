"""Builds the Inventory service from its parts."""

from datetime import timedelta

from commerce.catalog.v1 import catalog_events_pb2 as catalog
from commerce.inventory.v1 import inventory_events_pb2 as events
from commerce.inventory.v1 import inventory_service_pb2_grpc as pb_grpc
from commerce.ordering.v1 import ordering_events_pb2 as ordering
from pydantic import Field
from treaty.messaging import on
from treaty.rpc import Api
from treaty.service import Pattern, Ports, Relation, Service
from treaty.settings import Settings

from services.commerce.inventory import acl, storage
from services.commerce.inventory.api import InventoryApi
from services.commerce.inventory.application.allocations import Allocations, ExpireAllocation, expire
from services.commerce.inventory.application.stock import (
    ExpireStock,
    FollowProduct,
    Stock,
    expire_pieces,
    follow_products,
)
from services.commerce.inventory.publishing import publish_allocation, publish_stock


class InventorySettings(Settings):
    """The settings of Inventory. `allocation_seconds` is the time for which an unconfirmed order holds its pieces."""

    allocation_seconds: float = Field(900.0, alias="INVENTORY_ALLOCATION_SECONDS", gt=0)


def build(ports: Ports) -> Service:
    settings = ports.settings(InventorySettings)
    items = ports.repository(
        storage.STOCK, policies=[publish_stock, expire_pieces, follow_products], commands=storage.COMMANDS
    )
    stock_rows = ports.view(storage.STOCK_LEVELS)
    stock = Stock(
        items=items, warehouses=ports.repository(storage.WAREHOUSES), stock_rows=stock_rows, clock=ports.clock
    )
    allocations = Allocations(
        items=items,
        allocations=ports.repository(
            storage.ALLOCATIONS, policies=[publish_allocation, expire], commands=storage.COMMANDS
        ),
        stock_rows=stock_rows,
        clock=ports.clock,
        held=timedelta(seconds=settings.allocation_seconds),
    )
    return Service(
        name="commerce.inventory",
        api=Api(pb_grpc.add_InventoryServiceServicer_to_server, InventoryApi(stock, allocations)),
        publishes=[
            events.StockAllocated,
            events.AllocationRefused,
            events.AllocationReleased,
            events.AllocationSpoilt,
            events.StockLevelChanged,
            events.ReorderNeeded,
        ],
        subscriptions=[
            on(ordering.OrderPlaced, acl.order_placed, then=allocations.allocate_order),
            on(ordering.OrderConfirmed, acl.order_confirmed, then=allocations.secure_order),
            on(ordering.OrderCompleted, acl.order_completed, then=allocations.fulfil_order),
            on(ordering.OrderCancelled, acl.order_cancelled, then=allocations.release_order),
            on(catalog.ProductCreated, acl.product_created, then=stock.list_product),
            on(catalog.ProductDiscontinued, acl.product_discontinued, then=stock.discontinue_product),
        ],
        commands=storage.COMMANDS,
        calls={
            ExpireAllocation: allocations.expire_allocation,
            ExpireStock: stock.expire_stock,
            FollowProduct: stock.follow_product,
        },
        projections=[storage.STOCK_LEVELS],
        relations=[
            Relation("commerce.ordering", Pattern.ANTI_CORRUPTION_LAYER, "an order becomes an allocation"),
            Relation("commerce.catalog", Pattern.CUSTOMER_SUPPLIER, "a product becomes an item of the main warehouse"),
        ],
    )
