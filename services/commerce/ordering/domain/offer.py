"""The offer aggregate: Ordering's copy of a product's name, price and available pieces."""

from dataclasses import dataclass

from treaty.domain import Aggregate

from services.commerce.money import Money
from services.commerce.ordering.domain.events import (
    AvailabilityChanged,
    OfferDescribed,
    OfferEvent,
    OfferPriced,
    OfferWithdrawn,
)
from services.commerce.ordering.domain.pricing import Promotion


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The number of pieces that are available in one warehouse."""

    warehouse: str
    available: int


@dataclass(slots=True, kw_only=True)
class Offer(Aggregate[OfferEvent]):
    """The offer of one product. Its id is the SKU. Its stock may be recorded before its name and price."""

    name: str = ""
    category: str = ""
    words: tuple[str, ...] = ()
    list_price: Money | None = None
    promotion: Promotion | None = None
    shelves: tuple[Shelf, ...] = ()
    withdrawn: bool = False

    def describe(self, *, name: str, category: str, words: tuple[str, ...]) -> None:
        if (name, category, words) != (self.name, self.category, self.words):
            self.record(OfferDescribed(name=name, category=category, words=words))

    def price(self, list_price: Money, promotion: Promotion | None) -> None:
        if (list_price, promotion) != (self.list_price, self.promotion):
            self.record(OfferPriced(list_price=list_price, promotion=promotion))

    def stock(self, warehouse: str, available: int) -> None:
        if Shelf(warehouse=warehouse, available=available) not in self.shelves:
            self.record(AvailabilityChanged(warehouse=warehouse, available=available))

    def withdraw(self) -> None:
        if not self.withdrawn:
            self.record(OfferWithdrawn())

    def evolve(self, event: OfferEvent) -> None:
        match event:
            case OfferDescribed():
                self.name, self.category, self.words = event.name, event.category, event.words
            case OfferPriced():
                self.list_price, self.promotion = event.list_price, event.promotion
            case AvailabilityChanged():
                others = (shelf for shelf in self.shelves if shelf.warehouse != event.warehouse)
                self.shelves = (*others, Shelf(warehouse=event.warehouse, available=event.available))
            case OfferWithdrawn():
                self.withdrawn = True
