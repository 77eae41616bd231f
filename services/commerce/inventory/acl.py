"""What Ordering announces, in Inventory's words."""

from commerce.ordering.v1 import ordering_events_pb2 as ordering

from services.commerce.inventory.application import AllocateOrder, ReleaseOrder
from services.commerce.inventory.domain import DEFAULT_WAREHOUSE, AllocatedLine


def order_placed(event: ordering.OrderPlaced) -> AllocateOrder:
    """Every line is taken from the default warehouse: Ordering knows of none."""
    lines = [AllocatedLine(sku=line.sku, warehouse=DEFAULT_WAREHOUSE, quantity=line.quantity) for line in event.lines]
    return AllocateOrder(order_id=event.order_id, lines=lines)


def order_cancelled(event: ordering.OrderCancelled) -> ReleaseOrder:
    return ReleaseOrder(order_id=event.order_id)
