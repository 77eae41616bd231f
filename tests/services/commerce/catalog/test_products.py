"""The catalogue, in its own words: products and their prices, categories, reviews, and what is announced of them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from treaty.domain import Aggregate, Call, Invalid, Rejected
from treaty.personal_data import ERASED_AGAIN
from treaty.testing.scenarios import given

from services.commerce.catalog.application.authors import EraseReviews, erase_again
from services.commerce.catalog.domain.authors import Author
from services.commerce.catalog.domain.categories import Category
from services.commerce.catalog.domain.events import (
    AuthorForgotten,
    CategoryCreated,
    PriceChanged,
    ProductCreated,
    ProductDescribed,
    ProductDiscontinued,
    ProductEvent,
    PromotionEnded,
    PromotionStarted,
    ReviewPublished,
    ReviewRejected,
    ReviewSubmitted,
)
from services.commerce.catalog.domain.prices import KEPT, PastPrice
from services.commerce.catalog.domain.products import Product
from services.commerce.catalog.domain.reviews import Review, Status
from services.commerce.catalog.domain.values import Details, Opinion, Promotion
from services.commerce.catalog.storage import REVIEWS
from services.commerce.money import Money

A = TypeVar("A", bound=Aggregate[Any])
NOW = datetime(2024, 5, 6, tzinfo=UTC)
DAY = timedelta(days=1)
DETAILS = Details(name="Enamel mug", description="Holds tea", category="kitchen", tags=frozenset({"cup", "blue"}))
PRICE, LOWER, EUROS = Money(1200, "GBP"), Money(900, "GBP"), Money(900, "EUR")
CREATED = ProductCreated(details=DETAILS, list_price=PRICE, created_at=NOW)
SALE = Promotion(price=LOWER, starts_at=NOW + DAY, ends_at=NOW + 3 * DAY)
ON_SALE: list[ProductEvent] = [CREATED, PromotionStarted(promotion=SALE, changed_at=NOW)]
GONE = ProductDiscontinued(reason="sold out")


def create(product: Product) -> None:
    product.create(DETAILS, PRICE, NOW)


def reprice(price: Money, at: datetime = NOW) -> Callable[[Product], None]:
    return lambda product: product.change_price(price, at)


def promote(promotion: Promotion = SALE) -> Callable[[Product], None]:
    return lambda product: product.start_promotion(promotion, NOW)


def describe(**changes: Any) -> Callable[[Product], None]:
    return lambda product: product.describe(Details(**{"name": "Mug", **changes}))


def test_a_product_comes_into_the_catalogue_once() -> None:
    mug = given(Product, "mug").when(create).then([CREATED])
    assert (mug.details, mug.list_price, mug.price_history) == (DETAILS, PRICE, (PastPrice(price=PRICE, since=NOW),))
    given(Product, "mug", [CREATED]).when(create).then_raises(Rejected, "PRODUCT_CREATED_ALREADY")


@pytest.mark.parametrize("details", [Details(name=" "), Details(name="Mug", related=("mug",))])
def test_a_product_has_a_name_and_is_not_related_to_itself(details: Details) -> None:
    given(Product, "mug").when(lambda product: product.create(details, PRICE, NOW)).then_raises(Invalid)
    given(Product, "mug", [CREATED]).when(lambda product: product.describe(details)).then_raises(Invalid)


def test_nothing_costs_less_than_nothing() -> None:
    debt = Money(-1, "GBP")
    given(Product, "mug").when(lambda product: product.create(DETAILS, debt, NOW)).then_raises(Invalid)
    given(Product, "mug", [CREATED]).when(reprice(debt)).then_raises(Invalid)
    with pytest.raises(Invalid):
        Promotion(price=debt, starts_at=NOW, ends_at=NOW + DAY)


def test_a_product_is_described_anew() -> None:
    described = ProductDescribed(details=Details(name="Mug", category="garden"))
    assert given(Product, "mug", [CREATED]).when(describe(category="garden")).then([described]).list_price == PRICE


@pytest.mark.parametrize("command", [lambda product: product.describe(DETAILS), reprice(PRICE), promote()])
def test_saying_what_is_so_already_changes_nothing(command: Callable[[Product], None]) -> None:
    given(Product, "mug", ON_SALE).when(command).then_nothing()


def test_a_price_that_changes_is_remembered_with_its_time() -> None:
    changed = PriceChanged(list_price=LOWER, changed_at=NOW + DAY)
    mug = given(Product, "mug", [CREATED]).when(reprice(LOWER, NOW + DAY)).then([changed])
    assert mug.price_history == (PastPrice(price=PRICE, since=NOW), PastPrice(price=LOWER, since=NOW + DAY))


def test_only_the_last_prices_are_remembered() -> None:
    changes = [PriceChanged(list_price=Money(n, "GBP"), changed_at=NOW + 2 * n * DAY) for n in range(30)]
    history = given(Product, "mug", [CREATED, *changes]).state.price_history
    assert [past.price.minor_units for past in history] == list(range(30 - KEPT, 30))


@pytest.mark.parametrize("command", [reprice(EUROS), promote(Promotion(price=EUROS, starts_at=NOW, ends_at=NOW + DAY))])
def test_the_currency_of_a_price_never_changes(command: Callable[[Product], None]) -> None:
    given(Product, "mug", [CREATED]).when(command).then_raises(Rejected, "CURRENCY_DIFFERS")


def test_a_promotion_holds_from_its_start_until_just_before_its_end() -> None:
    mug = given(Product, "mug", [CREATED]).when(promote()).then(ON_SALE[1:])
    moments = [NOW, NOW + DAY, NOW + 3 * DAY - timedelta(milliseconds=1), NOW + 3 * DAY]
    assert [mug.price_at(moment) for moment in moments] == [PRICE, LOWER, LOWER, PRICE]


@pytest.mark.parametrize("price", [1200, 1300])
def test_a_promotion_is_cheaper_than_the_list_price(price: int) -> None:
    dear = Promotion(price=Money(price, "GBP"), starts_at=NOW, ends_at=NOW + DAY)
    given(Product, "mug", [CREATED]).when(promote(dear)).then_raises(Rejected, "PROMOTION_NOT_CHEAPER")


@pytest.mark.parametrize("ends_at", [NOW, NOW - DAY])
def test_a_promotion_ends_after_it_starts(ends_at: datetime) -> None:
    with pytest.raises(Invalid):
        Promotion(price=LOWER, starts_at=NOW, ends_at=ends_at)


def test_a_list_price_does_not_fall_to_that_of_a_promotion_that_is_not_over() -> None:
    given(Product, "mug", ON_SALE).when(reprice(LOWER)).then_raises(Rejected, "PROMOTION_NOT_CHEAPER")
    over = NOW + 3 * DAY
    changed = PriceChanged(list_price=LOWER, changed_at=over)
    assert given(Product, "mug", ON_SALE).when(reprice(LOWER, over)).then([changed]).promotion is None


def test_a_new_promotion_replaces_the_one_that_is_there() -> None:
    longer = Promotion(price=LOWER, starts_at=NOW, ends_at=NOW + 9 * DAY)
    started = PromotionStarted(promotion=longer, changed_at=NOW)
    assert given(Product, "mug", ON_SALE).when(promote(longer)).then([started]).promotion == longer


def test_a_promotion_is_ended_before_its_time() -> None:
    ended = PromotionEnded(changed_at=NOW + DAY)
    mug = given(Product, "mug", ON_SALE).when(lambda product: product.end_promotion(NOW + DAY)).then([ended])
    assert mug.price_at(NOW + DAY) == PRICE


@pytest.mark.parametrize(("past", "at"), [([CREATED], NOW), (ON_SALE, NOW + 3 * DAY)])
def test_without_a_promotion_there_is_nothing_to_end(past: list[ProductEvent], at: datetime) -> None:
    given(Product, "mug", past).when(lambda product: product.end_promotion(at)).then_nothing()


@pytest.mark.parametrize("command", [describe(), reprice(LOWER), promote(), lambda product: product.end_promotion(NOW)])
def test_a_discontinued_product_refuses_changes(command: Callable[[Product], None]) -> None:
    discontinued = given(Product, "mug", [CREATED]).when(lambda product: product.discontinue("sold out")).then([GONE])
    assert discontinued.discontinued
    given(Product, "mug", [CREATED, GONE]).when(lambda product: product.discontinue("again")).then_nothing()
    given(Product, "mug", [CREATED, GONE]).when(command).then_raises(Rejected, "PRODUCT_DISCONTINUED")


def test_a_category_is_created_once_and_is_no_part_of_itself() -> None:
    created = CategoryCreated(name="Kitchen", parent="house")
    kitchen = given(Category, "kitchen").when(lambda category: category.create("Kitchen", "house")).then([created])
    assert (kitchen.name, kitchen.parent) == ("Kitchen", "house")
    again = given(Category, "kitchen", [created]).when(lambda category: category.create("Kitchen", ""))
    again.then_raises(Rejected, "CATEGORY_CREATED_ALREADY")
    given(Category, "kitchen").when(lambda category: category.create("Kitchen", "kitchen")).then_raises(Invalid)
    given(Category, "kitchen").when(lambda category: category.create(" ", "")).then_raises(Invalid)


OPINION = Opinion(sku="mug", author="ann", rating=5, title="Good", text="Holds tea indeed")
SUBMITTED = ReviewSubmitted(opinion=OPINION, submitted_at=NOW)
REJECTED = ReviewRejected(reason="spam")


def reject(review: Review) -> None:
    review.reject("spam")


def test_a_review_is_submitted_once_and_waits() -> None:
    review = given(Review, "r").when(lambda review: review.submit(OPINION, NOW)).then([SUBMITTED])
    assert (review.status, review.opinion, review.submitted_at) == (Status.PENDING, OPINION, NOW)
    again = given(Review, "r", [SUBMITTED]).when(lambda review: review.submit(OPINION, NOW))
    again.then_raises(Rejected, "REVIEW_SUBMITTED_ALREADY")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rating": 0}, "rating"),
        ({"rating": 6}, "rating"),
        ({"title": "x" * 2001}, "title"),
        ({"text": "x" * 2001}, "text"),
    ],
)
def test_an_opinion_keeps_within_bounds(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        Opinion(**{"sku": "mug", "author": "ann", "rating": 5, "title": "Good", **changes})
    assert refused.value.field == field


def test_a_review_is_published_or_rejected_and_the_last_verdict_stands() -> None:
    given(Review, "r", [SUBMITTED]).when(Review.publish).then([ReviewPublished()])
    assert given(Review, "r", [SUBMITTED, ReviewPublished()]).when(reject).then([REJECTED]).reason == "spam"
    assert given(Review, "r", [SUBMITTED, REJECTED]).when(Review.publish).then([ReviewPublished()]).reason == ""


def test_the_same_verdict_twice_changes_nothing() -> None:
    given(Review, "r", [SUBMITTED, ReviewPublished()]).when(Review.publish).then_nothing()
    given(Review, "r", [SUBMITTED, REJECTED]).when(reject).then_nothing()


def test_a_rejection_needs_a_reason() -> None:
    given(Review, "r", [SUBMITTED]).when(lambda review: review.reject(" ")).then_raises(Invalid)


def test_an_author_is_forgotten_once_and_the_words_are_erased_once_more_a_day_later() -> None:
    gone = AuthorForgotten()
    author = given(Author, "ann").when(Author.forget).then([gone])
    assert list(erase_again(author, gone)) == [Call(EraseReviews(customer_id="ann"), after=ERASED_AGAIN)]
    given(Author, "ann", [gone]).when(Author.forget).then_nothing()
    given(Author, "ann", [gone]).when(Author.must_be_known).then_raises(Rejected, "CUSTOMER_FORGOTTEN")


def test_a_review_from_before_its_words_were_kept_apart_is_still_read() -> None:
    opinion = {"sku": "mug", "author": "ann", "rating": 5, "title": "Good", "text": "Holds tea indeed"}
    stored = {"type": "review-submitted", "v": 1, "data": {"opinion": opinion, "submitted_at": NOW}}
    assert REVIEWS.events.decode(stored) == SUBMITTED
