"""The order: placed, then confirmed or cancelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from treaty.domain import Aggregate, Invalid, Rejected

from services.commerce.money import Money, total


class Status(StrEnum):
    NEW = "new"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Some pieces of one SKU."""

    sku: str
    quantity: int
    unit_price: Money

    def __post_init__(self) -> None:
        if self.quantity <= 0:
            raise Invalid(f"{self.quantity} pieces of {self.sku} cannot be ordered", field="lines.quantity")
        if self.unit_price.minor_units < 0:
            raise Invalid(f"{self.sku} cannot cost less than nothing", field="lines.unit_price")

    @property
    def price(self) -> Money:
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    customer_id: str
    lines: tuple[Line, ...]
    total: Money
    placed_at: datetime
    answer_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfirmed:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    reason: str


OrderEvent = OrderPlaced | OrderConfirmed | OrderCancelled


@dataclass(slots=True, kw_only=True)
class Order(Aggregate[OrderEvent]):
    """One order. A guest's has no customer."""

    status: Status = Status.NEW
    customer_id: str = ""
    lines: tuple[Line, ...] = ()
    total: Money | None = None
    placed_at: datetime | None = None
    reason: str = ""

    def place(
        self,
        *,
        customer_id: str,
        lines: Sequence[Line],
        expected: Money | None,
        placed_at: datetime,
        answer_by: datetime,
    ) -> None:
        """Places the order, if it makes sense and costs what the customer expects."""
        if self.status is not Status.NEW:
            raise Rejected(f"order {self.id} is placed already", reason="ORDER_PLACED_ALREADY")
        self.record(
            OrderPlaced(
                customer_id=customer_id,
                lines=tuple(lines),
                total=price_of(lines, expected),
                placed_at=placed_at,
                answer_by=answer_by,
            )
        )

    def confirm(self) -> None:
        """Stock and payment are there. Told twice is not an error."""
        if self.status is Status.CONFIRMED:
            return
        if self.status is not Status.PENDING:
            raise Rejected(f"order {self.id} is {self.status}", reason=f"ORDER_{self.status.upper()}")
        self.record(OrderConfirmed())

    def cancel(self, reason: str) -> None:
        """Ends the order without delivery; told twice is not an error."""
        if self.status is not Status.CANCELLED:
            self.record(OrderCancelled(reason=reason or "cancelled by the customer"))

    def evolve(self, event: OrderEvent) -> None:
        match event:
            case OrderPlaced():
                self.status = Status.PENDING
                self.customer_id = event.customer_id
                self.lines = event.lines
                self.total = event.total
                self.placed_at = event.placed_at
            case OrderConfirmed():
                self.status = Status.CONFIRMED
            case OrderCancelled():
                self.status = Status.CANCELLED
                self.reason = event.reason


def price_of(lines: Sequence[Line], expected: Money | None) -> Money:
    """Returns what the lines cost together.

    Raises:
        Invalid: if there are no lines, a SKU comes twice, currencies are mixed, or the customer expects another total.
    """
    if not lines:
        raise Invalid("an order needs at least one line", field="lines")
    if len({line.sku for line in lines}) != len(lines):
        raise Invalid("every SKU may stand in one line only", field="lines")
    if len({line.unit_price.currency for line in lines}) != 1:
        raise Invalid("all prices of an order are in one currency", field="lines.unit_price.currency")
    price = total(line.price for line in lines)
    if expected is not None and expected != price:
        raise Invalid(f"the lines cost {price}, not {expected}", field="total", reason="TOTAL_DIFFERS")
    return price
