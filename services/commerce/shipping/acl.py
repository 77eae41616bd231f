"""The anti-corruption layer: translates the events of Ordering, Payments and Inventory to commands of Shipping."""

from commerce.inventory.v1 import inventory_events_pb2 as inventory
from commerce.ordering.v1 import ordering_events_pb2 as ordering
from commerce.payments.v1 import payments_events_pb2 as payments

from services.commerce.shipping.application import NoteAllocation, NoteCancellation, NoteConfirmation, NotePayment
from services.commerce.shipping.domain.events import ShippedLine


def order_confirmed(event: ordering.OrderConfirmed) -> NoteConfirmation:
    return NoteConfirmation(order_id=event.order_id, customer_id=event.customer_id)


def order_cancelled(event: ordering.OrderCancelled) -> NoteCancellation:
    return NoteCancellation(order_id=event.order_id, reason=event.reason)


def payment_received(event: payments.PaymentReceived) -> NotePayment:
    return NotePayment(order_id=event.order_id)


def stock_allocated(event: inventory.StockAllocated) -> NoteAllocation:
    lines = [ShippedLine(sku=line.sku, warehouse=line.warehouse, quantity=line.quantity) for line in event.lines]
    return NoteAllocation(order_id=event.order_id, lines=lines)
