"""What Inventory and Payments announce, in Ordering's words."""

from commerce.inventory.v1 import inventory_events_pb2 as inventory
from commerce.payments.v1 import payments_events_pb2 as payments

from services.commerce.ordering.sagas import PaymentAnswered, StockAnswered


def stock_allocated(event: inventory.StockAllocated) -> StockAnswered:
    return StockAnswered(order_id=event.order_id, allocated=True)


def allocation_refused(event: inventory.AllocationRefused) -> StockAnswered:
    return StockAnswered(order_id=event.order_id, allocated=False, reason=f"out of stock: {event.reason}")


def payment_authorised(event: payments.PaymentAuthorised) -> PaymentAnswered:
    return PaymentAnswered(order_id=event.order_id, authorised=True)


def payment_failed(event: payments.PaymentFailed) -> PaymentAnswered:
    return PaymentAnswered(order_id=event.order_id, authorised=False, reason=f"payment failed: {event.reason}")
