"""The prices of the past: every promotion with its time, and the lowest price of the 30 days before."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import hypothesis
import pytest
from hypothesis import strategies as st
from treaty.domain import Rejected
from treaty.testing.scenarios import given

from services.commerce.catalog.domain.events import (
    PriceChanged,
    ProductCreated,
    ProductEvent,
    PromotionEnded,
    PromotionStarted,
)
from services.commerce.catalog.domain.prices import KEPT, MOST
from services.commerce.catalog.domain.products import Product
from services.commerce.catalog.domain.values import Details, Promotion
from services.commerce.money import Money

NOW = datetime(2024, 5, 6, tzinfo=UTC)
DAY = timedelta(days=1)
CREATED = ProductCreated(details=Details(name="Mug"), list_price=Money(1200, "GBP"), created_at=NOW)


def gbp(price: int) -> Money:
    return Money(price, "GBP")


def sale(price: int, starts: float, ends: float) -> Promotion:
    return Promotion(price=gbp(price), starts_at=NOW + starts * DAY, ends_at=NOW + ends * DAY)


def started(price: int, starts: float, ends: float, *, at: float) -> PromotionStarted:
    return PromotionStarted(promotion=sale(price, starts, ends), changed_at=NOW + at * DAY)


def ended(at: float) -> PromotionEnded:
    return PromotionEnded(changed_at=NOW + at * DAY)


def priced(price: int, at: float) -> PriceChanged:
    return PriceChanged(list_price=gbp(price), changed_at=NOW + at * DAY)


def mug(*events: ProductEvent) -> Product:
    return given(Product, "mug", [CREATED, *events]).state


@pytest.mark.parametrize(
    ("events", "held"),
    [
        ([started(900, 1, 3, at=0)], [sale(900, 1, 3)]),
        ([started(900, 1, 9, at=4)], [sale(900, 4, 9)]),
        ([started(900, 1, 3, at=3)], []),
        ([started(900, 1, 9, at=0), ended(5)], [sale(900, 1, 5)]),
        ([started(900, 4, 9, at=0), ended(2)], []),
        ([started(900, 1, 9, at=0), started(800, 2, 8, at=5)], [sale(900, 1, 5), sale(800, 5, 8)]),
        ([started(900, 1, 9, at=0), started(800, 7, 8, at=5)], [sale(900, 1, 5), sale(800, 7, 8)]),
        ([started(900, 1, 3, at=0), priced(1300, 4), started(800, 5, 8, at=5)], [sale(900, 1, 3), sale(800, 5, 8)]),
    ],
)
def test_a_promotion_is_remembered_with_the_time_in_which_it_held(
    events: list[ProductEvent], held: list[Promotion]
) -> None:
    assert list(mug(*events).promotion_history) == held


@pytest.mark.parametrize(
    ("events", "at", "lowest"),
    [
        ([], 0, 1200),
        ([], 90, 1200),
        ([priced(1000, 10), priced(1100, 20)], 25, 1000),
        ([priced(1000, 10), priced(1100, 20)], 51, 1100),
        ([started(900, 1, 3, at=0)], 2, 1200),
        ([started(900, 1, 3, at=0)], 32, 900),
        ([started(900, 1, 3, at=0)], 33, 1200),
        ([started(900, 10, 12, at=0), started(1000, 20, 22, at=15)], 21, 900),
        ([started(900, 10, 12, at=0), started(1000, 50, 52, at=15)], 51, 1200),
        ([priced(1000, 10), priced(1500, 20), started(1100, 30, 90, at=30), priced(1600, 80)], 85, 1000),
        ([started(900, 0, 9, at=0), priced(1300, 5)], 6, 1200),
    ],
)
def test_a_reduced_price_stands_beside_the_lowest_of_the_thirty_days_before(
    events: list[ProductEvent], at: int, lowest: int
) -> None:
    assert mug(*events).lowest_price_before(NOW + at * DAY) == gbp(lowest)


def test_prices_and_promotions_that_count_are_all_kept_and_others_up_to_a_number() -> None:
    often = [
        event for n in range(60) for event in (priced(2000 + n, n / 4), started(n + 1, n / 4, n / 4 + 0.1, at=n / 4))
    ]
    busy = mug(*often)
    assert (len(busy.price_history), len(busy.promotion_history)) == (61, 60)
    assert busy.lowest_price_before(NOW + 20 * DAY) == gbp(1)
    rarely = [
        event for n in range(60) for event in (priced(2000 + n, 9 * n), started(n + 1, 9 * n, 9 * n + 1, at=9 * n))
    ]
    calm = mug(*rarely)
    assert (len(calm.price_history), len(calm.promotion_history)) == (KEPT, KEPT)
    seconds = mug(*(priced(2000 + n, n / 86400) for n in range(MOST + 9)))
    assert len(seconds.price_history) == MOST


_changes = st.one_of(
    st.tuples(st.just("price"), st.integers(5, 9), st.just(0), st.just(0)),
    st.tuples(st.just("promotion"), st.integers(1, 8), st.integers(0, 20), st.integers(1, 40)),
    st.tuples(st.just("end"), st.just(0), st.just(0), st.just(0)),
)
_Change = tuple[str, int, int, int]


def changed(product: Product, change: _Change, day: int) -> None:
    kind, price, ahead, days = change
    if kind == "price":
        product.change_price(gbp(price), NOW + day * DAY)
    elif kind == "promotion":
        product.start_promotion(sale(price, day + ahead, day + ahead + days), NOW + day * DAY)
    else:
        product.end_promotion(NOW + day * DAY)


@hypothesis.given(st.dictionaries(st.integers(0, 89), _changes, max_size=30))
def test_the_lowest_price_is_that_of_the_days_one_by_one(changes: Mapping[int, _Change]) -> None:
    product = Product(id="mug")
    product.create(Details(name="Mug"), gbp(9), NOW)
    prices: list[int] = []
    sales: list[Promotion | None] = []
    for day in range(90):
        try:
            if day in changes:
                changed(product, changes[day], day)
        except Rejected:
            pass
        now = NOW + day * DAY
        price = product.price_at(now)
        assert price is not None
        prices.append(price.minor_units)
        sales.append(product.promotion if product.promotion is not None and product.promotion.runs(now) else None)
        end = day if sales[-1] is None else _first_of(sales)
        counted = prices[max(end - 30, 0) : end]
        lowest = product.lowest_price_before(now)
        assert lowest is not None
        if counted:
            assert lowest == gbp(min(counted)), (day, prices, sales)


def _first_of(sales: Sequence[Promotion | None]) -> int:
    """Returns the first day of the promotion that runs on the last day."""
    first = len(sales) - 1
    while first and sales[first - 1] is sales[-1]:
        first -= 1
    return first
