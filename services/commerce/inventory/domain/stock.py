"""The stock item aggregate: it receives pieces, reserves them for orders, and ships them."""

from dataclasses import dataclass

from treaty.domain import Aggregate, Invalid, Rejected

from services.commerce.inventory.domain.batches import (
    MOST_BATCHES,
    MOST_HELD,
    Batches,
    Hold,
    Holds,
    day,
    first,
    good,
    held_for,
    held_parts,
    past,
    pieces,
    with_pieces,
    without,
)
from services.commerce.inventory.domain.events import (
    ItemDiscontinued,
    ItemManaged,
    ItemRegistered,
    ReorderNeeded,
    StockAdjusted,
    StockEvent,
    StockExpired,
    StockFreed,
    StockReceived,
    StockReserved,
    StockReturned,
    StockShipped,
    StockWrittenOff,
)
from services.commerce.money import Money


@dataclass(slots=True, kw_only=True)
class StockItem(Aggregate[StockEvent]):
    """One SKU in one warehouse. Neither the reserved pieces nor the pieces in batches are more than the pieces on hand.

    `registered` is true if somebody registered the item, and false if only an event of Catalog created it. `reordered`
    is true from the request for more pieces until the item no longer runs low. Pieces whose last day is before `today`
    are expired. `holds` has the pieces with a last day that are reserved.
    """

    warehouse: str = ""
    sku: str = ""
    description: str = ""
    on_hand: int = 0
    reserved: int = 0
    registered: bool = False
    bar_code: str = ""
    reorder_point: int = 0
    reorder_quantity: int = 0
    unit_cost: Money | None = None
    batches: Batches = ()
    holds: Holds = ()
    today: str = ""
    discontinued: bool = False
    reordered: bool = False

    @property
    def unreserved(self) -> int:
        """The pieces that are not reserved, with the expired ones."""
        return self.on_hand - self.reserved

    @property
    def expired(self) -> int:
        """The expired pieces that are not reserved."""
        return self._expired_on(self.today)

    @property
    def available(self) -> int:
        """The pieces that can be reserved."""
        return self.unreserved - self.expired

    @property
    def loose(self) -> Batches:
        """The pieces with a last day that are not reserved."""
        return without(self.batches, [batch for hold in self.holds for batch in hold.batches])

    @property
    def runs_low(self) -> bool:
        """Whether more pieces must be bought."""
        return not self.discontinued and 0 < self.reorder_point >= self.available

    def register(self, *, warehouse: str, sku: str, description: str) -> None:
        if self.registered:
            raise Rejected(f"{sku} is registered in {warehouse} already", reason="ITEM_REGISTERED_ALREADY")
        self.record(ItemRegistered(warehouse=warehouse, sku=sku, description=description))

    def list_product(self, *, warehouse: str, sku: str, name: str) -> None:
        """Creates the item of a product of the catalogue. Does nothing if it is registered or has a description."""
        if not self.registered and not self.description:
            self.record(ItemRegistered(warehouse=warehouse, sku=sku, description=name, from_catalogue=True))

    def discontinue(self, *, warehouse: str, sku: str) -> None:
        """Records that the product is discontinued. This event may arrive before the event of the new product."""
        if not self.sku:
            self.record(ItemRegistered(warehouse=warehouse, sku=sku, description="", from_catalogue=True))
        if not self.discontinued:
            self.record(ItemDiscontinued())

    def manage(self, *, bar_code: str, reorder_point: int, reorder_quantity: int) -> None:
        """Sets the bar code, the reorder point and the reorder quantity."""
        if reorder_point < 0:
            raise Invalid("the reorder point cannot be negative", field="reorder_point")
        if reorder_quantity < 0:
            raise Invalid("the reorder quantity cannot be negative", field="reorder_quantity")
        if (bar_code, reorder_point, reorder_quantity) != (self.bar_code, self.reorder_point, self.reorder_quantity):
            self.record(ItemManaged(bar_code=bar_code, reorder_point=reorder_point, reorder_quantity=reorder_quantity))
            self._call_for_more()

    def receive(self, quantity: int, *, expires_on: str = "", unit_cost: Money | None = None) -> None:
        """Adds received pieces. `expires_on` is the last day on which they are good, or empty."""
        if quantity <= 0:
            raise Invalid(f"{quantity} pieces cannot be received", field="quantity")
        if unit_cost is not None and unit_cost.minor_units < 0:
            raise Invalid(f"a piece cannot cost {unit_cost}", field="unit_cost")
        expires_on = expires_on and day(expires_on)
        if expires_on and len(with_pieces(self.batches, expires_on, quantity)) > MOST_BATCHES:
            raise Rejected(
                f"{self.sku} has batches of {MOST_BATCHES} days already, which is the limit", reason="TOO_MANY_BATCHES"
            )
        self.record(StockReceived(quantity=quantity, expires_on=expires_on, unit_cost=unit_cost))

    def adjust(self, delta: int, reason: str) -> None:
        """Corrects the number of pieces on hand. It cannot fall below the number of reserved pieces."""
        if delta == 0:
            raise Invalid("an adjustment cannot be 0", field="delta")
        if self.unreserved + delta < 0:
            raise Rejected(
                f"only {self.unreserved} of {self.on_hand} {self.sku} are not reserved", reason="STOCK_IS_RESERVED"
            )
        self.record(StockAdjusted(delta=delta, reason=reason))
        self._call_for_more()

    def reserve(self, order_id: str, quantity: int, today: str) -> None:
        """Reserves pieces for an order, if enough are available `today`: those with the earliest day first.

        Raises:
            Rejected: OUT_OF_STOCK, or TOO_MANY_HOLDS if so many orders hold pieces with a last day that this one has
                to wait until others have left.
        """
        if quantity <= 0:
            raise Invalid(f"{quantity} pieces cannot be reserved", field="quantity")
        today = max(today, self.today)
        available = self.unreserved - self._expired_on(today)
        if quantity > available:
            raise Rejected(f"{quantity} {self.sku} wanted, {available} available", reason="OUT_OF_STOCK")
        batches = first(good(self.loose, today), quantity)
        if batches and held_parts(self.holds) + len(batches) > MOST_HELD:
            raise Rejected(f"too many open orders hold pieces of {self.sku}", reason="TOO_MANY_HOLDS")
        self.record(StockReserved(order_id=order_id, quantity=quantity, batches=batches))
        self._call_for_more()

    def free(self, order_id: str, quantity: int) -> None:
        """Frees pieces that were reserved for an order, so that they are available again."""
        self.record(StockFreed(order_id=order_id, quantity=quantity))

    def ship(self, order_id: str, quantity: int) -> None:
        """Removes pieces that were reserved for an order: they leave the warehouse.

        Pieces that were reserved before they were chosen are pieces without a day, then the good ones, then any.
        """
        held = first(held_for(self.holds, order_id), quantity)
        missing = quantity - pieces(held) - (self.on_hand - pieces(self.batches))
        rest = first(sorted(self.loose, key=lambda batch: batch.expires_on < self.today), missing)
        self.record(StockShipped(order_id=order_id, quantity=quantity, batches=(*held, *rest)))

    def take_back(self, order_id: str, return_id: str, quantity: int) -> None:
        """Adds returned pieces of an order. Their last day is not known, so they are in no batch."""
        self.record(StockReturned(order_id=order_id, return_id=return_id, quantity=quantity))

    def expire(self, today: str) -> None:
        """Records that pieces are sold no longer, because their last day is before `today`.

        Pieces that are reserved stay reserved: their orders are named, so that they are cancelled or have left already.
        """
        if past(self.batches, today) <= past(self.batches, self.today):
            return
        spoilt = [hold for hold in self.holds if past(hold.batches, today) > past(hold.batches, self.today)]
        orders = tuple(hold.order_id for hold in spoilt)
        self.record(StockExpired(today=today, quantity=self._expired_on(today), orders=orders))
        self._call_for_more()

    def write_off(self, today: str) -> None:
        """Removes expired pieces, but no pieces that are reserved."""
        quantity = self._expired_on(today)
        if quantity:
            self.record(StockWrittenOff(quantity=quantity, today=today))
            self._call_for_more()

    def _expired_on(self, today: str) -> int:
        return max(min(past(self.loose, today), self.unreserved), 0)

    def _call_for_more(self) -> None:
        """Requests more pieces if the item runs low, but only once until it no longer runs low."""
        if self.runs_low and not self.reordered:
            self.record(
                ReorderNeeded(
                    available=self.available,
                    reorder_point=self.reorder_point,
                    reorder_quantity=self.reorder_quantity,
                )
            )

    def evolve(self, event: StockEvent) -> None:
        match event:
            case ItemRegistered():
                self.warehouse, self.sku, self.description = event.warehouse, event.sku, event.description
                self.registered = not event.from_catalogue
            case ItemManaged():
                self.bar_code, self.reorder_point = event.bar_code, event.reorder_point
                self.reorder_quantity = event.reorder_quantity
            case ItemDiscontinued():
                self.discontinued = True
            case StockReceived():
                self._take_in(event)
            case StockAdjusted():
                self._give_out(-event.delta)
            case StockReserved():
                self._hold(event)
            case StockFreed():
                self.reserved -= event.quantity
                self._let_go(event.order_id)
            case StockShipped():
                self._ship(event)
            case StockReturned():
                self.on_hand += event.quantity
            case StockExpired():
                self.today = event.today
            case StockWrittenOff():
                self._give_out(event.quantity)
            case ReorderNeeded():
                self.reordered = True
        self.reordered = self.reordered and self.runs_low

    def _take_in(self, event: StockReceived) -> None:
        self.on_hand += event.quantity
        self.unit_cost = event.unit_cost or self.unit_cost
        if event.expires_on:
            self.batches = with_pieces(self.batches, event.expires_on, event.quantity)

    def _hold(self, event: StockReserved) -> None:
        self.reserved += event.quantity
        if event.batches:
            self.holds = (*self.holds, Hold(order_id=event.order_id, batches=event.batches))

    def _let_go(self, order_id: str) -> None:
        self.holds = tuple(hold for hold in self.holds if hold.order_id != order_id)

    def _ship(self, event: StockShipped) -> None:
        self.reserved -= event.quantity
        self._let_go(event.order_id)
        if event.batches is None:
            self._give_out(event.quantity)
        else:
            self.on_hand -= event.quantity
            self.batches = without(self.batches, event.batches)

    def _give_out(self, quantity: int) -> None:
        """Removes pieces that are not reserved, those with the earliest day first.

        If `quantity` is negative, pieces were found: they are added without a day.
        """
        self.on_hand -= quantity
        self.batches = without(self.batches, first(self.loose, quantity))
