"""How Ordering's aggregates, sagas and calls are named on disk. A name here never changes; a shape gets an upcast."""

from treaty.codec import Names, Shape
from treaty.projections import Projection
from treaty.sagas import StoredSaga
from treaty.stored import Stored

from services.commerce.ordering import domain, sagas
from services.commerce.ordering.projections import OrderRow, order_summary

ORDERS = Stored(
    "order",
    domain.Order,
    events=[
        Shape("order-placed", domain.OrderPlaced),
        Shape("order-confirmed", domain.OrderConfirmed),
        Shape("order-cancelled", domain.OrderCancelled),
    ],
)

CHECKOUTS = StoredSaga(
    "checkout",
    sagas.Checkout(),
    sagas.checkout,
    facts=[
        Shape("checkout-started", sagas.CheckoutStarted),
        Shape("stock-answered", sagas.StockAnswered),
        Shape("payment-answered", sagas.PaymentAnswered),
        Shape("answer-overdue", sagas.AnswerOverdue),
        Shape("order-ended", sagas.OrderEnded),
    ],
)

COMMANDS = Names(
    [
        Shape("start-checkout", sagas.CheckoutStarted),
        Shape("answer-overdue", sagas.AnswerOverdue),
        Shape("end-checkout", sagas.OrderEnded),
        Shape("confirm-order", sagas.ConfirmOrder),
        Shape("cancel-order", sagas.CancelOrder),
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
