"""The stored names of Ordering's aggregates, events, sagas, calls and read models.

A name here never changes. If the fields of an event, fact or call change, its shape gets an upcast.
"""

from collections.abc import Mapping
from typing import Any

from treaty.commits import Names, Shape, Stored
from treaty.projections import Projection
from treaty.sagas import StoredSaga

from services.commerce.ordering.application.buyers import EraseAddresses
from services.commerce.ordering.application.commands import StopShipment
from services.commerce.ordering.domain import buyer, events, offer
from services.commerce.ordering.domain.order import Order
from services.commerce.ordering.projections import (
    OfferRow,
    OrderRow,
    SalesRow,
    daily_sales,
    offers,
    order_summary,
    sales_day,
)
from services.commerce.ordering.sagas import checkout, returns


def placed_with_totals(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Upcast: the total of version 1 was the total of the lines. Tax and delivery were not known."""
    past = dict(document)
    total = past.pop("total")
    nothing = {"minor_units": 0, "currency": total["currency"]}
    totals = {"subtotal": total, "shipping": nothing, "tax": nothing, "total": total}
    return {**past, "totals": totals, "delivery": None, "tier": "standard"}


ORDERS = Stored(
    "order",
    Order,
    events=[
        Shape("draft-started", events.DraftStarted),
        Shape("draft-changed", events.DraftChanged),
        Shape("order-placed", events.OrderPlaced, upcasts=(placed_with_totals,)),
        Shape("address-changed", events.AddressChanged),
        Shape("order-confirmed", events.OrderConfirmed),
        Shape("cancellation-requested", events.CancellationRequested),
        Shape("cancellation-refused", events.CancellationRefused),
        Shape("order-cancelled", events.OrderCancelled),
        Shape("shipment-prepared", events.ShipmentPrepared),
        Shape("order-dispatched", events.OrderDispatched),
        Shape("order-completed", events.OrderCompleted),
        Shape("order-refunded", events.OrderRefunded),
        Shape("return-requested", events.ReturnRequested),
        Shape("return-received", events.ReturnReceived),
        Shape("return-completed", events.ReturnCompleted),
        Shape("return-closed", events.ReturnClosed),
    ],
)

OFFERS = Stored(
    "offer",
    offer.Offer,
    events=[
        Shape("offer-described", events.OfferDescribed),
        Shape("offer-priced", events.OfferPriced),
        Shape("availability-changed", events.AvailabilityChanged),
        Shape("offer-withdrawn", events.OfferWithdrawn),
    ],
)

BUYERS = Stored(
    "buyer",
    buyer.Buyer,
    events=[Shape("tier-noted", events.TierNoted), Shape("buyer-forgotten", events.BuyerForgotten)],
)

CHECKOUTS = StoredSaga(
    "checkout",
    checkout.Checkout(),
    checkout.checkout,
    facts=[
        Shape("checkout-started", checkout.CheckoutStarted),
        Shape("stock-answered", checkout.StockAnswered),
        Shape("stock-lost", checkout.StockLost),
        Shape("payment-answered", checkout.PaymentAnswered),
        Shape("answer-overdue", checkout.AnswerOverdue),
        Shape("order-ended", checkout.OrderEnded),
    ],
)

RETURNS = StoredSaga(
    "return",
    returns.Returning(),
    returns.returning,
    facts=[
        Shape("return-opened", returns.ReturnOpened),
        Shape("goods-arrived", returns.GoodsArrived),
        Shape("goods-overdue", returns.GoodsOverdue),
        Shape("goods-restocked", returns.GoodsRestocked),
        Shape("money-refunded", returns.MoneyRefunded),
        Shape("step-refused", returns.StepRefused),
        Shape("return-resumed", returns.ReturnResumed),
        Shape("return-abandoned", returns.ReturnAbandoned),
    ],
    resume=lambda run, reason: returns.ReturnResumed(return_id=run, reason=reason),
    cancel=lambda run, reason: returns.ReturnAbandoned(return_id=run, reason=reason),
)

COMMANDS = Names(
    [
        Shape("start-checkout", checkout.CheckoutStarted),
        Shape("answer-overdue", checkout.AnswerOverdue),
        Shape("end-checkout", checkout.OrderEnded),
        Shape("confirm-order", checkout.ConfirmOrder),
        Shape("cancel-order", checkout.CancelOrder),
        Shape("stop-shipment", StopShipment),
        Shape("erase-addresses", EraseAddresses),
        Shape("open-return", returns.ReturnOpened),
        Shape("goods-arrived", returns.GoodsArrived),
        Shape("goods-overdue", returns.GoodsOverdue),
        Shape("restock", returns.Restock),
        Shape("refund-return", returns.RefundReturn),
        Shape("finish-return", returns.FinishReturn),
        Shape("close-return", returns.CloseReturn),
    ]
)

ORDER_SUMMARY = Projection(
    name="order_summary",
    source=ORDERS,
    row=OrderRow,
    project=order_summary,
    order_by="placed_at",
    filters=("customer_id", "status"),
)

OFFER_SEARCH = Projection(
    name="offers",
    source=OFFERS,
    row=OfferRow,
    project=offers,
    order_by="rank",
    filters=("offered", "category", "words"),
    descending=False,
)

DAILY_SALES = Projection(
    name="daily_sales", source=ORDERS, row=SalesRow, project=daily_sales, order_by="day", key=sales_day
)
