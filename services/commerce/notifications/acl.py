"""The anti-corruption layer: translates the events of all other contexts to messages for customers and staff."""

from commerce.catalog.v1 import catalog_events_pb2 as catalog
from commerce.customers.v1 import customers_events_pb2 as customers
from commerce.inventory.v1 import inventory_events_pb2 as inventory
from commerce.money.v1 import money_pb2
from commerce.ordering.v1 import ordering_events_pb2 as ordering
from commerce.payments.v1 import payments_events_pb2 as payments
from commerce.payments.v2 import payments_events_pb2 as payments_v2
from commerce.shipping.v1 import shipping_events_pb2 as shipping

from services.commerce.notifications.application.notifications import Notify, NotifyStaff
from services.commerce.notifications.application.subscriptions import ForgetCustomer
from services.commerce.notifications.domain import messages
from services.commerce.wire import money_from_wire


def customer_registered(event: customers.CustomerRegistered) -> Notify:
    return Notify(customer_id=event.customer_id, text=messages.welcome())


def customer_tier_changed(event: customers.CustomerTierChanged) -> Notify:
    text = messages.tier_changed(_tier(event.previous_tier), _tier(event.new_tier))
    return Notify(customer_id=event.customer_id, text=text)


def customer_forgotten(event: customers.CustomerForgotten) -> ForgetCustomer:
    return ForgetCustomer(customer_id=event.customer_id)


def order_placed(event: ordering.OrderPlaced) -> Notify:
    text = messages.order_placed(event.order_id, _money(event.total))
    return Notify(customer_id=event.customer_id, text=text)


def order_confirmed(event: ordering.OrderConfirmed) -> Notify:
    text = messages.order_confirmed(event.order_id, _money(event.total))
    return Notify(customer_id=event.customer_id, text=text)


def order_cancelled(event: ordering.OrderCancelled) -> Notify:
    return Notify(customer_id=event.customer_id, text=messages.order_cancelled(event.order_id))


def order_cancellation_refused(event: ordering.OrderCancellationRefused) -> Notify:
    return Notify(customer_id=event.customer_id, text=messages.cancellation_refused(event.order_id))


def order_return_closed(event: ordering.OrderReturnClosed) -> Notify:
    text = messages.return_closed(event.order_id, event.return_id, event.reason)
    return Notify(customer_id=event.customer_id, text=text)


def order_completed(event: ordering.OrderCompleted) -> Notify:
    text = messages.order_completed(event.order_id, _money(event.total))
    return Notify(customer_id=event.customer_id, text=text)


def order_returned(event: ordering.OrderReturned) -> Notify:
    text = messages.order_returned(event.order_id, event.return_id, _money(event.refund))
    return Notify(customer_id=event.customer_id, text=text)


def payment_failed(event: payments.PaymentFailed) -> Notify:
    return Notify(customer_id=event.customer_id, text=messages.payment_failed(event.order_id))


def payment_refunded(event: payments_v2.PaymentRefunded) -> Notify:
    text = messages.payment_refunded(event.order_id, _money(event.amount), _money(event.refunded))
    return Notify(customer_id=event.customer_id, text=text)


def void_refused(event: payments.VoidRefused) -> NotifyStaff:
    return NotifyStaff(text=messages.void_refused(event.order_id, _money(event.amount), event.reason))


def refund_refused(event: payments.RefundRefused) -> NotifyStaff:
    text = messages.refund_refused(event.order_id, event.refund_id, _money(event.amount), event.reason)
    return NotifyStaff(text=text)


def shipment_dispatched(event: shipping.ShipmentDispatched) -> Notify:
    text = messages.shipment_dispatched(event.order_id, event.carrier, event.tracking_number)
    return Notify(customer_id=event.customer_id, text=text)


def parcel_delayed(event: shipping.ParcelDelayed) -> Notify:
    text = messages.parcel_delayed(event.order_id, event.carrier, event.tracking_number)
    return Notify(customer_id=event.customer_id, text=text)


def delivery_confirmed(event: shipping.DeliveryConfirmed) -> Notify:
    return Notify(customer_id=event.customer_id, text=messages.delivery_confirmed(event.order_id))


def delivery_failed(event: shipping.DeliveryFailed) -> Notify:
    return Notify(customer_id=event.customer_id, text=messages.delivery_failed(event.order_id))


def reorder_needed(event: inventory.ReorderNeeded) -> NotifyStaff:
    text = messages.reorder_needed(event.warehouse, event.sku, event.available, event.reorder_quantity)
    return NotifyStaff(text=text)


def product_discontinued(event: catalog.ProductDiscontinued) -> NotifyStaff:
    return NotifyStaff(text=messages.product_discontinued(event.sku))


def _money(amount: money_pb2.Money) -> str:
    return str(money_from_wire(amount))


def _tier(tier: int) -> str:
    """Returns the name of a tier for a text, even if the tier is newer than this code."""
    names: dict[int, str] = {number: name for name, number in customers.Tier.items()}
    return names.get(tier, f"TIER_{tier}").removeprefix("TIER_").lower()
