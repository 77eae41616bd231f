"""The anti-corruption layer: translates the events of Ordering and Catalog to commands of Inventory."""

from commerce.catalog.v1 import catalog_events_pb2 as catalog
from commerce.ordering.v1 import ordering_events_pb2 as ordering

from services.commerce.inventory.application.allocations import AllocateOrder, FulfilOrder, ReleaseOrder, SecureOrder
from services.commerce.inventory.application.stock import DiscontinueProduct, ListProduct


def order_placed(event: ordering.OrderPlaced) -> AllocateOrder:
    """The event names no warehouses, because Inventory chooses them."""
    return AllocateOrder(order_id=event.order_id, pieces={line.sku: line.quantity for line in event.lines})


def order_confirmed(event: ordering.OrderConfirmed) -> SecureOrder:
    return SecureOrder(order_id=event.order_id)


def order_completed(event: ordering.OrderCompleted) -> FulfilOrder:
    return FulfilOrder(order_id=event.order_id)


def order_cancelled(event: ordering.OrderCancelled) -> ReleaseOrder:
    return ReleaseOrder(order_id=event.order_id)


def product_created(event: catalog.ProductCreated) -> ListProduct:
    return ListProduct(sku=event.sku, name=event.name)


def product_discontinued(event: catalog.ProductDiscontinued) -> DiscontinueProduct:
    return DiscontinueProduct(sku=event.sku)
