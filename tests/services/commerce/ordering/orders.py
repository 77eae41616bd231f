"""Orders and their past, for the tests of Ordering's domain."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from services.commerce.money import Money
from services.commerce.ordering.domain.events import OrderCompleted, OrderConfirmed, OrderDispatched, OrderPlaced
from services.commerce.ordering.domain.order import Order
from services.commerce.ordering.domain.pricing import Delivery, Line, Method, Tier, totals_of

NOW = datetime(2024, 5, 6, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
HOME = Delivery(method=Method.STANDARD, country="US", address="ref-1")


def gbp(minor_units: int) -> Money:
    return Money(minor_units, "GBP")


def line(sku: str = "tea", quantity: int = 2, price: int = 150, currency: str = "GBP") -> Line:
    return Line(sku=sku, quantity=quantity, unit_price=Money(price, currency))


def placed(*lines: Line, tier: Tier = Tier.STANDARD, delivery: Delivery = HOME) -> OrderPlaced:
    lines = lines or (line(),)
    return OrderPlaced(
        customer_id="ann",
        lines=lines,
        totals=totals_of(lines, delivery, tier),
        delivery=delivery,
        tier=tier,
        placed_at=NOW,
        answer_by=LATER,
    )


def place(
    *lines: Line,
    expected: Money | None = None,
    prices: Mapping[str, Money] | None = None,
    tier: Tier = Tier.STANDARD,
    delivery: Delivery = HOME,
) -> Callable[[Order], None]:
    """Returns the command; by default everything is offered at the prices of the lines."""
    seen = {one.sku: one.unit_price for one in lines}
    return lambda order: order.place(
        customer_id="ann",
        lines=lines,
        delivery=delivery,
        tier=tier,
        prices=seen if prices is None else prices,
        expected=expected,
        placed_at=NOW,
        answer_by=LATER,
    )


CONFIRMED = OrderConfirmed()
DISPATCHED = OrderDispatched(carrier="Parcels", tracking_number="T1", dispatched_at=NOW)


def completed(*lines: Line, at: datetime = NOW) -> OrderCompleted:
    past = placed(*lines)
    return OrderCompleted(completed_at=at, total=past.totals.total, pieces=sum(one.quantity for one in past.lines))


def delivered(*lines: Line) -> list[object]:
    """Returns the past of an order that its customer has."""
    return [placed(*lines), CONFIRMED, DISPATCHED, completed(*lines)]
