"""Inventory, put together."""

from commerce.inventory.v1 import inventory_events_pb2 as events
from commerce.ordering.v1 import ordering_events_pb2 as ordering
from treaty.relations import Pattern, Relation
from treaty.service import Ports, Service
from treaty.subscriptions import on

from services.commerce.inventory import acl, storage
from services.commerce.inventory.api import api
from services.commerce.inventory.application import Inventory
from services.commerce.inventory.publishing import publish_allocation, publish_stock


def build(ports: Ports) -> Service:
    items = ports.repository(storage.STOCK, policies=[publish_stock])
    allocations = ports.repository(storage.ALLOCATIONS, policies=[publish_allocation])
    inventory = Inventory(items, allocations)
    return Service(
        name="commerce.inventory",
        api=api(inventory),
        publishes=[
            events.StockAllocated,
            events.AllocationRefused,
            events.AllocationReleased,
            events.StockLevelChanged,
        ],
        subscriptions=[
            on(ordering.OrderPlaced, acl.order_placed, then=inventory.allocate_order),
            on(ordering.OrderCancelled, acl.order_cancelled, then=inventory.release_order),
        ],
        relations=[
            Relation("commerce.ordering", Pattern.ANTI_CORRUPTION_LAYER, "an order becomes an allocation"),
        ],
    )
