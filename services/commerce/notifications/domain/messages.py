"""The messages for each kind of event: a subject and a body, made only of ids and amounts."""

from services.commerce.notifications.domain.values import Text, Topic


def welcome() -> Text:
    return _text(Topic.ACCOUNT, "Welcome", "Your customer account is open.")


def tier_changed(before: str, after: str) -> Text:
    body = f"Your tier was {before} and is {after} from now on."
    return _text(Topic.ACCOUNT, f"You are a {after} customer now", body)


def order_placed(order_id: str, total: str) -> Text:
    body = f"We have your order {order_id} for {total}. We will write to you when it is confirmed."
    return _text(Topic.ORDERS, f"Order {order_id} placed", body)


def order_confirmed(order_id: str, total: str) -> Text:
    body = f"Your order {order_id} for {total} is confirmed and will be shipped."
    return _text(Topic.ORDERS, f"Order {order_id} confirmed", body)


def order_cancelled(order_id: str) -> Text:
    body = f"Your order {order_id} is cancelled. If you paid for it, you get the money back."
    return _text(Topic.ORDERS, f"Order {order_id} cancelled", body)


def cancellation_refused(order_id: str) -> Text:
    body = f"Your order {order_id} could not be cancelled, because it has left already. You can send it back."
    return _text(Topic.ORDERS, f"Order {order_id} could not be cancelled", body)


def return_closed(order_id: str, return_id: str, reason: str) -> Text:
    body = f"Your return {return_id} of order {order_id} is closed: {reason}."
    return _text(Topic.ORDERS, f"Return of order {order_id} closed", body)


def order_completed(order_id: str, total: str) -> Text:
    body = f"Your order {order_id} for {total} is complete. Thank you."
    return _text(Topic.ORDERS, f"Order {order_id} complete", body)


def order_returned(order_id: str, return_id: str, refund: str) -> Text:
    body = f"We received your return {return_id} of order {order_id}. You get {refund} back."
    return _text(Topic.ORDERS, f"Return of order {order_id} received", body)


def payment_failed(order_id: str) -> Text:
    body = f"The payment of your order {order_id} failed, so the order is cancelled."
    return _text(Topic.PAYMENTS, f"Payment of order {order_id} failed", body)


def payment_refunded(order_id: str, amount: str, refunded: str) -> Text:
    body = f"We refunded {amount} of your order {order_id}. This is {refunded} in total so far."
    return _text(Topic.PAYMENTS, f"Refund of {amount}", body)


def void_refused(order_id: str, amount: str, reason: str) -> Text:
    body = f"The gateway still holds {amount} for the cancelled order {order_id}: {reason}. Please ask the gateway."
    return _text(Topic.PAYMENTS, f"Hold of order {order_id} not released", body)


def refund_refused(order_id: str, refund_id: str, amount: str, reason: str) -> Text:
    body = (
        f"The gateway did not refund {amount} of order {order_id} ({refund_id}): {reason}. Please refund it otherwise."
    )
    return _text(Topic.PAYMENTS, f"Refund of order {order_id} refused", body)


def shipment_dispatched(order_id: str, carrier: str, tracking_number: str) -> Text:
    body = f"Your order {order_id} is on its way with {carrier}; its tracking number is {tracking_number}."
    return _text(Topic.DELIVERIES, f"Order {order_id} is on its way", body)


def parcel_delayed(order_id: str, carrier: str, tracking_number: str) -> Text:
    body = f"Your order {order_id} is delayed. {carrier} has the details under {tracking_number}."
    return _text(Topic.DELIVERIES, f"Order {order_id} is delayed", body)


def delivery_confirmed(order_id: str) -> Text:
    return _text(Topic.DELIVERIES, f"Order {order_id} delivered", f"Your order {order_id} was delivered.")


def delivery_failed(order_id: str) -> Text:
    body = f"Your order {order_id} could not be delivered. We are taking care of it."
    return _text(Topic.DELIVERIES, f"Order {order_id} could not be delivered", body)


def reorder_needed(warehouse: str, sku: str, available: int, quantity: int) -> Text:
    body = f"{available} pieces of {sku} are available in {warehouse}. Please buy {quantity}."
    return _text(Topic.STOCK, f"{sku} is running out in {warehouse}", body)


def product_discontinued(sku: str) -> Text:
    return _text(Topic.CATALOG, f"{sku} is discontinued", f"{sku} can no longer be bought.")


def _text(topic: Topic, subject: str, body: str) -> Text:
    return Text(topic=topic, subject=subject, body=body)
