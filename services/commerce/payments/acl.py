"""The anti-corruption layer: translates the events of Ordering and Customers to commands of Payments."""

from commerce.customers.v1 import customers_events_pb2 as customers
from commerce.ordering.v1 import ordering_events_pb2 as ordering

from services.commerce.payments.application import CancelPayment, ConfirmPayment, ForgetMethod, RequestPayment
from services.commerce.wire import money_from_wire


def order_placed(event: ordering.OrderPlaced) -> RequestPayment:
    return RequestPayment(order_id=event.order_id, amount=money_from_wire(event.total), customer_id=event.customer_id)


def order_confirmed(event: ordering.OrderConfirmed) -> ConfirmPayment:
    return ConfirmPayment(order_id=event.order_id)


def order_cancelled(event: ordering.OrderCancelled) -> CancelPayment:
    return CancelPayment(order_id=event.order_id)


def customer_forgotten(event: customers.CustomerForgotten) -> ForgetMethod:
    return ForgetMethod(customer_id=event.customer_id)
