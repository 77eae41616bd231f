"""The product aggregate: descriptions, list prices and promotions."""

from dataclasses import dataclass, field
from datetime import datetime

from treaty.domain import Aggregate, Invalid, Rejected

from services.commerce.catalog.domain.events import (
    PriceChanged,
    ProductCreated,
    ProductDescribed,
    ProductDiscontinued,
    ProductEvent,
    PromotionEnded,
    PromotionStarted,
)
from services.commerce.catalog.domain.prices import (
    ListPrices,
    Promotions,
    lowest_price,
    with_price,
    with_promotion,
    without_promotion,
)
from services.commerce.catalog.domain.values import Details, Promotion, must_be_a_price
from services.commerce.money import Money


@dataclass(slots=True, kw_only=True)
class Product(Aggregate[ProductEvent]):
    """One product. Its id is the SKU. Its promotion is always cheaper than its list price, in the same currency.

    The histories end with the present. `promotion_history` has the time in which each promotion was valid indeed.
    """

    details: Details = field(default_factory=Details)
    list_price: Money | None = None
    promotion: Promotion | None = None
    price_history: ListPrices = ()
    discontinued: bool = False
    promotion_history: Promotions = ()

    def create(self, details: Details, list_price: Money, at: datetime) -> None:
        if self.list_price is not None:
            raise Rejected(f"{self.id} is in the catalogue already", reason="PRODUCT_CREATED_ALREADY")
        self._must_make_sense(details)
        must_be_a_price(list_price, "list_price")
        self.record(ProductCreated(details=details, list_price=list_price, created_at=at))

    def describe(self, details: Details) -> None:
        """Replaces the whole description."""
        self._must_be_for_sale()
        self._must_make_sense(details)
        if details != self.details:
            self.record(ProductDescribed(details=details))

    def change_price(self, list_price: Money, at: datetime) -> None:
        """Changes the list price. It must stay higher than the price of a promotion that is not over."""
        self._must_be_for_sale()
        must_be_a_price(list_price, "list_price")
        self._must_keep_the_currency(list_price)
        if list_price == self.list_price:
            return
        promotion = self.promotion_at(at)
        if promotion is not None:
            _must_be_lower(promotion.price, list_price)
        self.record(PriceChanged(list_price=list_price, changed_at=at))

    def start_promotion(self, promotion: Promotion, at: datetime) -> None:
        """Lowers the price for a limited time. Replaces the earlier promotion, if there is one."""
        self._must_be_for_sale()
        assert self.list_price is not None
        self._must_keep_the_currency(promotion.price)
        _must_be_lower(promotion.price, self.list_price)
        if promotion != self.promotion:
            self.record(PromotionStarted(promotion=promotion, changed_at=at))

    def end_promotion(self, at: datetime) -> None:
        """Ends the current or future promotion. Does nothing if there is none, or if it is over already."""
        self._must_be_for_sale()
        if self.promotion_at(at) is not None:
            self.record(PromotionEnded(changed_at=at))

    def discontinue(self, reason: str) -> None:
        """Takes the product out of sale. Does nothing if it is discontinued already."""
        if not self.discontinued:
            self.record(ProductDiscontinued(reason=reason))

    def promotion_at(self, at: datetime) -> Promotion | None:
        """Returns the promotion that is current or still in the future at a moment."""
        return None if self.promotion is None or self.promotion.is_over(at) else self.promotion

    def price_at(self, at: datetime) -> Money | None:
        """Returns the price of one piece at a moment."""
        return self.promotion.price if self.promotion is not None and self.promotion.runs(at) else self.list_price

    def lowest_price_before(self, at: datetime) -> Money | None:
        """Returns the lowest price of the 30 days before the promotion that runs at a moment, or before that moment."""
        return lowest_price(self.price_history, self.promotion_history, at)

    def _must_be_for_sale(self) -> None:
        if self.discontinued:
            raise Rejected(f"{self.id} is discontinued and can no longer be changed", reason="PRODUCT_DISCONTINUED")

    def _must_make_sense(self, details: Details) -> None:
        if not details.name.strip():
            raise Invalid("a product needs a name", field="name")
        if self.id in details.related:
            raise Invalid(f"{self.id} cannot be related to itself", field="related")

    def _must_keep_the_currency(self, price: Money) -> None:
        assert self.list_price is not None
        if price.currency != self.list_price.currency:
            raise Rejected(
                f"{self.id} is sold in {self.list_price.currency}, not in {price.currency}", reason="CURRENCY_DIFFERS"
            )

    def evolve(self, event: ProductEvent) -> None:
        match event:
            case ProductCreated():
                self.details = event.details
                self._set_price(event.list_price, event.created_at)
            case ProductDescribed():
                self.details = event.details
            case PriceChanged():
                self.promotion = self.promotion_at(event.changed_at)
                self._set_price(event.list_price, event.changed_at)
            case PromotionStarted():
                self.promotion = event.promotion
                self.promotion_history = with_promotion(self.promotion_history, event.promotion, event.changed_at)
            case PromotionEnded():
                self.promotion = None
                self.promotion_history = without_promotion(self.promotion_history, event.changed_at)
            case ProductDiscontinued():
                self.discontinued = True

    def _set_price(self, price: Money, since: datetime) -> None:
        self.list_price = price
        self.price_history = with_price(self.price_history, price, since, self.promotion_history)


def _must_be_lower(promotion: Money, list_price: Money) -> None:
    if promotion.minor_units >= list_price.minor_units:
        raise Rejected(
            f"a promotion at {promotion} is not cheaper than the list price of {list_price}",
            reason="PROMOTION_NOT_CHEAPER",
        )
