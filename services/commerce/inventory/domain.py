"""Stock items, which reserve pieces, and allocations, which say what is reserved for an order."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from treaty.domain import Aggregate, Invalid, Rejected

DEFAULT_WAREHOUSE = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRegistered:
    warehouse: str
    sku: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReceived:
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StockAdjusted:
    delta: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReserved:
    order_id: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StockFreed:
    order_id: str
    quantity: int


StockEvent = ItemRegistered | StockReceived | StockAdjusted | StockReserved | StockFreed


def stock_id(warehouse: str, sku: str) -> str:
    """Returns the id of the stock item for a SKU in a warehouse."""
    return f"{warehouse or DEFAULT_WAREHOUSE}/{sku}"


@dataclass(slots=True, kw_only=True)
class StockItem(Aggregate[StockEvent]):
    """One SKU in one warehouse. Never more is reserved than is on hand."""

    warehouse: str = ""
    sku: str = ""
    description: str = ""
    on_hand: int = 0
    reserved: int = 0

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved

    def register(self, *, warehouse: str, sku: str, description: str) -> None:
        if self.sku:
            raise Rejected(f"{sku} is registered in {warehouse} already", reason="ITEM_REGISTERED_ALREADY")
        self.record(ItemRegistered(warehouse=warehouse, sku=sku, description=description))

    def receive(self, quantity: int) -> None:
        if quantity <= 0:
            raise Invalid(f"{quantity} pieces cannot be received", field="quantity")
        self.record(StockReceived(quantity=quantity))

    def adjust(self, delta: int, reason: str) -> None:
        """Corrects what is on hand; reserved pieces cannot go missing on paper."""
        if delta == 0:
            raise Invalid("an adjustment of nothing is none", field="delta")
        if self.available + delta < 0:
            raise Rejected(
                f"only {self.available} of {self.on_hand} {self.sku} are not reserved", reason="STOCK_IS_RESERVED"
            )
        self.record(StockAdjusted(delta=delta, reason=reason))

    def reserve(self, order_id: str, quantity: int) -> None:
        """Sets pieces aside for an order."""
        if quantity <= 0:
            raise Invalid(f"{quantity} pieces cannot be reserved", field="quantity")
        if quantity > self.available:
            raise Rejected(f"{quantity} {self.sku} wanted, {self.available} available", reason="OUT_OF_STOCK")
        self.record(StockReserved(order_id=order_id, quantity=quantity))

    def free(self, order_id: str, quantity: int) -> None:
        """Gives up what was set aside for an order."""
        self.record(StockFreed(order_id=order_id, quantity=quantity))

    def evolve(self, event: StockEvent) -> None:
        match event:
            case ItemRegistered():
                self.warehouse, self.sku, self.description = event.warehouse, event.sku, event.description
            case StockReceived():
                self.on_hand += event.quantity
            case StockAdjusted():
                self.on_hand += event.delta
            case StockReserved():
                self.reserved += event.quantity
            case StockFreed():
                self.reserved -= event.quantity


class Status(StrEnum):
    NEW = "new"
    REQUESTED = "requested"
    ALLOCATED = "allocated"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocatedLine:
    """Pieces of one SKU for an order, and where they lie."""

    sku: str
    warehouse: str
    quantity: int

    @property
    def stock_id(self) -> str:
        return stock_id(self.warehouse, self.sku)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRequested:
    lines: tuple[AllocatedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAllocated:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNotAllocated:
    sku: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationCancelled:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReleased:
    lines: tuple[AllocatedLine, ...]


AllocationEvent = AllocationRequested | OrderAllocated | OrderNotAllocated | AllocationCancelled | OrderReleased


@dataclass(slots=True, kw_only=True)
class Allocation(Aggregate[AllocationEvent]):
    """What is reserved for one order; its id is the order's."""

    status: Status = Status.NEW
    lines: tuple[AllocatedLine, ...] = ()

    def request(self, lines: Sequence[AllocatedLine]) -> None:
        """Starts to allocate, unless the order was cancelled before we heard of it."""
        if self.status is Status.NEW:
            self.record(AllocationRequested(lines=tuple(lines)))

    def complete(self) -> None:
        """All lines are reserved."""
        self._must_be(Status.REQUESTED)
        self.record(OrderAllocated())

    def refuse(self, sku: str, reason: str) -> None:
        """One line could not be reserved, and the others are free again."""
        self._must_be(Status.REQUESTED)
        self.record(OrderNotAllocated(sku=sku, reason=reason))

    def cancel(self) -> None:
        """The order is cancelled: whatever is reserved is to be freed."""
        if self.status is Status.REQUESTED:
            raise RuntimeError(f"the allocation of order {self.id} is not finished: it must be, before it is cancelled")
        if self.status in (Status.NEW, Status.ALLOCATED):
            self.record(AllocationCancelled())

    def release(self) -> None:
        """Everything is free again."""
        self._must_be(Status.CANCELLED)
        self.record(OrderReleased(lines=self.lines))

    @property
    def to_free(self) -> Sequence[AllocatedLine]:
        """The lines that a cancelled allocation still holds."""
        return self.lines if self.status is Status.CANCELLED else ()

    def _must_be(self, status: Status) -> None:
        if self.status is not status:
            raise Rejected(f"the allocation of order {self.id} is {self.status}, not {status}")

    def evolve(self, event: AllocationEvent) -> None:
        match event:
            case AllocationRequested():
                self.status, self.lines = Status.REQUESTED, event.lines
            case OrderAllocated():
                self.status = Status.ALLOCATED
            case OrderNotAllocated():
                self.status, self.lines = Status.REFUSED, ()
            case AllocationCancelled():
                self.status = Status.CANCELLED
            case OrderReleased():
                self.status, self.lines = Status.RELEASED, ()
