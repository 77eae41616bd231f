"""Whatever happens to the catalogue: events alone give state and rows, prices keep their rules, others are told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import hypothesis
from commerce.catalog.v1 import catalog_events_pb2 as pb
from commerce.money.v1.money_pb2 import Money as WireMoney
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st
from treaty.domain import Aggregate
from treaty.testing.scenarios import assert_folds, carried_out, given

from services.commerce.catalog.domain.categories import Category
from services.commerce.catalog.domain.events import (
    PriceChanged,
    ProductCreated,
    ProductDescribed,
    ProductDiscontinued,
    ProductEvent,
    PromotionEnded,
    PromotionStarted,
    ReviewPublished,
)
from services.commerce.catalog.domain.products import Product
from services.commerce.catalog.domain.reviews import Review
from services.commerce.catalog.domain.values import Details, Opinion, Promotion
from services.commerce.catalog.projections import ProductRow, product_row, review_row
from services.commerce.catalog.publishing import publish
from services.commerce.catalog.storage import CATEGORIES, PRODUCTS, REVIEWS
from services.commerce.money import Money

A = TypeVar("A", bound=Aggregate[Any])
NOW = datetime(2024, 5, 6, tzinfo=UTC)
DAY = timedelta(days=1)
DETAILS = Details(name="Enamel mug", description="Holds tea", category="kitchen", tags=frozenset({"cup", "blue"}))
CREATED = ProductCreated(details=DETAILS, list_price=Money(1200, "GBP"), created_at=NOW)
SALE = Promotion(price=Money(900, "GBP"), starts_at=NOW + DAY, ends_at=NOW + 3 * DAY)
ON_SALE: list[ProductEvent] = [CREATED, PromotionStarted(promotion=SALE, changed_at=NOW)]
GONE = ProductDiscontinued(reason="sold out")
OPINION = Opinion(sku="mug", author="ann", rating=5, title="Good", text="Holds tea indeed")


def wire(time: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(time)
    return message


def announced(*events: ProductEvent) -> list[Any]:
    """Returns what is announced of the last event, after all of them."""
    return list(publish(given(Product, "mug", events).state, events[-1]))


def gbp(minor_units: int) -> WireMoney:
    return WireMoney(minor_units=minor_units, currency="GBP")


def test_a_product_is_announced_as_it_is_described() -> None:
    described = {"sku": "mug", "name": "Enamel mug", "description": "Holds tea", "category": "kitchen"}
    tags = ["blue", "cup"]
    assert announced(CREATED) == [pb.ProductCreated(**described, tags=tags, list_price=gbp(1200), created_at=wire(NOW))]
    assert announced(CREATED, ProductDescribed(details=DETAILS)) == [pb.ProductChanged(**described, tags=tags)]
    assert announced(CREATED, GONE) == [pb.ProductDiscontinued(sku="mug", reason="sold out")]


def test_whatever_changes_a_price_announces_all_there_is_to_know_of_it() -> None:
    sale = pb.Promotion(price=gbp(900), starts_at=wire(NOW + DAY), ends_at=wire(NOW + 3 * DAY))
    dearer = PriceChanged(list_price=Money(1300, "GBP"), changed_at=NOW + DAY)
    later = PriceChanged(list_price=Money(1300, "GBP"), changed_at=NOW + 3 * DAY)
    assert announced(*ON_SALE) == [
        pb.PriceChanged(sku="mug", list_price=gbp(1200), promotion=sale, changed_at=wire(NOW))
    ]
    assert announced(*ON_SALE, dearer) == [
        pb.PriceChanged(sku="mug", list_price=gbp(1300), promotion=sale, changed_at=wire(NOW + DAY))
    ]
    assert announced(*ON_SALE, later) == [
        pb.PriceChanged(sku="mug", list_price=gbp(1300), changed_at=wire(NOW + 3 * DAY))
    ]
    assert announced(*ON_SALE, PromotionEnded(changed_at=NOW)) == [
        pb.PriceChanged(sku="mug", list_price=gbp(1200), changed_at=wire(NOW))
    ]


def test_a_row_shows_what_products_are_searched_by() -> None:
    row: ProductRow | None = None
    for event in [*ON_SALE, PriceChanged(list_price=Money(1300, "GBP"), changed_at=NOW), GONE]:
        row = product_row("mug", row, event)
    assert row == ProductRow(
        sku="mug",
        name="Enamel mug",
        category="kitchen",
        words=("blue", "cup", "enamel", "holds", "mug", "tea"),
        list_price=Money(1300, "GBP"),
        price=1300,
        currency="GBP",
        discontinued=True,
    )


def test_a_row_that_is_not_there_is_not_made_by_a_change() -> None:
    assert all(
        product_row("mug", None, event) is None for event in [ON_SALE[1], ProductDescribed(details=DETAILS), GONE]
    )
    assert review_row("r", None, ReviewPublished()) is None


def _create(product: Product) -> None:
    product.create(DETAILS, Money(1200, "GBP"), NOW)


def _describe(name: str) -> Callable[[Product], None]:
    return lambda product: product.describe(Details(name=name))


def _reprice(price: int, at: int) -> Callable[[Product], None]:
    return lambda product: product.change_price(Money(price, "GBP"), NOW + at * DAY)


def _promote(price: int, start: int, days: int, at: int) -> Callable[[Product], None]:
    promotion = Promotion(price=Money(price, "GBP"), starts_at=NOW + start * DAY, ends_at=NOW + (start + days) * DAY)
    return lambda product: product.start_promotion(promotion, NOW + at * DAY)


_days, _prices = st.integers(0, 9), st.integers(0, 9)
_changes = st.one_of(
    st.builds(_reprice, _prices, _days),
    st.builds(_promote, _prices, _days, st.integers(1, 5), _days),
    st.builds(lambda at: lambda product: product.end_promotion(NOW + at * DAY), _days),
    st.builds(_describe, st.text(max_size=3)),
    st.just(lambda product: product.discontinue("")),
)


@hypothesis.given(st.lists(_changes, max_size=30))
def test_the_events_of_a_product_give_its_state(commands: list[Callable[[Product], object]]) -> None:
    state, events = carried_out(Product(id="mug"), [_create, *commands])
    assert_folds(PRODUCTS, state, events)


@hypothesis.given(st.lists(_changes, max_size=30))
def test_a_promotion_always_costs_less_than_the_list_price_that_now_holds(
    commands: list[Callable[[Product], object]],
) -> None:
    state, _ = carried_out(Product(id="mug"), [_create, *commands])
    assert state.list_price is not None
    assert state.promotion is None or state.promotion.price.minor_units < state.list_price.minor_units
    assert state.price_history[-1].price == state.list_price


_verdicts = st.sampled_from(
    [Review.publish, lambda review: review.reject("spam"), lambda review: review.reject("rude")]
)


@hypothesis.given(st.lists(_verdicts, max_size=8))
def test_the_events_of_a_review_give_its_state_and_its_row(commands: list[Callable[[Review], object]]) -> None:
    state, events = carried_out(Review(id="r"), [lambda review: review.submit(OPINION, NOW), *commands])
    assert_folds(REVIEWS, state, events)
    row = None
    for event in events:
        row = review_row("r", row, event)
    assert row is not None
    assert (row.status, row.reason, row.opinion) == (state.status, state.reason, state.opinion)


def test_the_events_of_a_category_give_its_state() -> None:
    state, events = carried_out(Category(id="kitchen"), [lambda category: category.create("Kitchen", "house")])
    assert_folds(CATEGORIES, state, events)
