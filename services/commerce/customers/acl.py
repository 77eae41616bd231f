"""The anti-corruption layer: translates Ordering's events to commands of Customers. Orders of guests are ignored."""

from commerce.ordering.v1 import ordering_events_pb2 as ordering

from services.commerce.customers.application import NotePurchase, NoteReturn
from services.commerce.customers.domain.tiers import Purchase
from services.commerce.wire import money_from_wire, time_from_wire


def order_completed(event: ordering.OrderCompleted) -> NotePurchase | None:
    if not event.customer_id:
        return None
    purchase = Purchase(
        order_id=event.order_id,
        amount=money_from_wire(event.total),
        completed_at=time_from_wire(event.completed_at),
    )
    return NotePurchase(customer_id=event.customer_id, purchase=purchase)


def order_returned(event: ordering.OrderReturned) -> NoteReturn | None:
    if not event.customer_id:
        return None
    return NoteReturn(
        customer_id=event.customer_id,
        return_id=event.return_id,
        order_id=event.order_id,
        refund=money_from_wire(event.refund),
    )
