"""The customer, in its own words: purchases earn a tier at once, and only a review or staff takes it away."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from treaty.domain import Call, Invalid, NotFound, Rejected
from treaty.testing.scenarios import given

from services.commerce.customers.application import ErasePersonalData, ReviewTier, set_timers
from services.commerce.customers.domain.customer import KEPT, Customer
from services.commerce.customers.domain.events import (
    CustomerDowngraded,
    CustomerEvent,
    CustomerForgotten,
    CustomerPromoted,
    CustomerRegistered,
    PurchaseNoted,
    ReturnNoted,
    TierKept,
)
from services.commerce.customers.domain.tiers import (
    YEAR,
    Purchase,
    Return,
    Tier,
    Year,
    earned_in,
    reaches,
    worth,
    year_before,
)
from services.commerce.money import LIMIT, Money

NOW = datetime(2024, 5, 6, tzinfo=UTC)
DAY = timedelta(days=1)
AFTER = timedelta(days=365)
REGISTERED = CustomerRegistered(private_ref="r", registered_at=NOW, review_at=NOW + AFTER)
FORGOTTEN = CustomerForgotten(forgotten_at=NOW)


def purchase(number: int = 1, amount: int = 1000, currency: str = "GBP", at: datetime = NOW) -> Purchase:
    return Purchase(order_id=f"o-{number}", amount=Money(amount, currency), completed_at=at)


def noted(number: int = 1, amount: int = 1000, at: datetime = NOW) -> PurchaseNoted:
    return PurchaseNoted(purchase=purchase(number, amount, at=at), noted_at=at)


def returned(number: int = 1, amount: int = 1000, order: int = 1) -> Return:
    return Return(return_id=f"r-{number}", order_id=f"o-{order}", amount=Money(amount, "GBP"), noted_at=NOW)


def promoted(new: Tier, reason: str, previous: Tier = Tier.STANDARD, number: int = 1) -> CustomerPromoted:
    return CustomerPromoted(
        number=number, previous=previous, new=new, reason=reason, changed_at=NOW, review_at=NOW + AFTER
    )


def buy(number: int = 1, amount: int = 1000, at: datetime = NOW) -> Callable[[Customer], None]:
    return lambda customer: customer.note_purchase(purchase(number, amount, at=at), at, AFTER)


def register(customer: Customer) -> None:
    customer.register("r", NOW, AFTER)


def change(tier: Tier, reason: str = "a friend") -> Callable[[Customer], None]:
    return lambda customer: customer.change_tier(tier, reason, NOW, AFTER)


def review(due: datetime) -> Callable[[Customer], None]:
    return lambda customer: customer.review(due, due, AFTER)


GOLD: list[CustomerEvent] = [REGISTERED, *(noted(n) for n in range(5)), promoted(Tier.GOLD, "5 orders in a year")]


def test_a_customer_registers_once_and_begins_as_standard() -> None:
    customer = given(Customer, "ann").when(register).then([REGISTERED])
    assert (customer.tier, customer.review_at, customer.private_ref) == (Tier.STANDARD, NOW + AFTER, "r")
    given(Customer, "ann", [REGISTERED]).when(register).then_raises(Rejected, "CUSTOMER_REGISTERED_ALREADY")


def test_the_fifth_order_in_a_year_makes_a_customer_gold() -> None:
    four = [REGISTERED, *(noted(n) for n in range(4))]
    expected = [noted(4), promoted(Tier.GOLD, "5 orders in a year")]
    assert given(Customer, "ann", four).when(buy(4)).then(expected).tier is Tier.GOLD


def test_the_twentieth_order_in_a_year_makes_a_customer_vip() -> None:
    nineteen = [*GOLD, *(noted(n) for n in range(5, 19))]
    vip = promoted(Tier.VIP, "20 orders in a year", Tier.GOLD, 2)
    assert given(Customer, "ann", nineteen).when(buy(19)).then([noted(19), vip]).changes == 2


def test_one_large_order_is_enough() -> None:
    bought = noted(1, 200_000)
    expected = [bought, promoted(Tier.VIP, "2000.00 GBP in a year")]
    given(Customer, "ann", [REGISTERED]).when(buy(1, 200_000)).then(expected)


def test_an_order_of_more_than_a_year_ago_earns_nothing() -> None:
    old = [REGISTERED, *(noted(n, at=NOW - YEAR) for n in range(4))]
    given(Customer, "ann", old).when(buy(4)).then([noted(4)])


def test_purchases_before_the_registration_count_when_it_comes() -> None:
    five: list[CustomerEvent] = [noted(n) for n in range(5)]
    given(Customer, "ann", five[:4]).when(buy(4)).then([noted(4)])
    given(Customer, "ann", five).when(register).then([REGISTERED, promoted(Tier.GOLD, "5 orders in a year")])


def test_an_order_counts_once_however_often_it_is_told() -> None:
    given(Customer, "ann", [REGISTERED, noted()]).when(buy()).then_nothing()


def test_a_return_is_taken_off_once_and_downgrades_nobody() -> None:
    back = ReturnNoted(returned=returned())
    customer = given(Customer, "ann", GOLD).when(lambda customer: customer.note_return(returned())).then([back])
    assert customer.tier is Tier.GOLD
    given(Customer, "ann", [*GOLD, back]).when(lambda customer: customer.note_return(returned())).then_nothing()


def test_a_return_that_comes_before_the_purchase_is_taken_off_it() -> None:
    early = [REGISTERED, ReturnNoted(returned=returned(1, 1))]
    given(Customer, "ann", early).when(buy(1, 50_000)).then([noted(1, 50_000)])
    assert given(Customer, "ann", [REGISTERED]).when(buy(1, 50_000)).events[1:]


def test_a_purchase_is_never_worth_less_than_nothing() -> None:
    assert worth(purchase(1, 1000), [returned(1, 700), returned(2, 700)]) == 0
    assert worth(purchase(1, 1000), [returned(1, 700), returned(2, 700, order=2)]) == 300
    euros = Return(return_id="r", order_id="o-1", amount=Money(700, "EUR"), noted_at=NOW)
    assert worth(purchase(1, 1000), [euros]) == 1000


@pytest.mark.parametrize(
    ("minor_units", "currency", "enough"),
    [(50_000, "GBP", True), (49_999, "GBP", False), (500, "JPY", True), (499, "JPY", False)],
)
def test_amounts_are_compared_in_the_main_unit_of_their_currency(minor_units: int, currency: str, enough: bool) -> None:
    assert reaches(Money(minor_units, currency), 500) is enough


def test_amounts_of_different_currencies_are_not_added() -> None:
    pounds, euros = purchase(1, 49_999), purchase(2, 49_999, "EUR")
    year = year_before(NOW, [pounds, euros], [])
    assert year == Year(orders=2, spent=(Money(49_999, "EUR"), Money(49_999, "GBP")))
    assert earned_in(year).tier is Tier.STANDARD
    assert str(year) == "2 orders and 499.99 EUR and 499.99 GBP in a year"


def test_more_money_than_there_is_is_still_a_lot() -> None:
    [spent] = year_before(NOW, [purchase(n, LIMIT) for n in range(3)], []).spent
    assert spent == Money(LIMIT, "GBP")


def test_a_year_ends_to_the_moment() -> None:
    assert year_before(NOW, [purchase(at=NOW - YEAR)], []).orders == 0
    assert year_before(NOW, [purchase(at=NOW - YEAR + timedelta(milliseconds=1))], []).orders == 1


def test_only_so_many_purchases_and_returns_of_a_year_are_kept() -> None:
    past = [noted(n, 1, NOW + n * timedelta(minutes=1)) for n in range(KEPT + 5)]
    customer = given(Customer, "ann", [*past, *(ReturnNoted(returned=returned(n)) for n in range(KEPT + 5))]).state
    assert [known.order_id for known in customer.purchases] == [f"o-{n}" for n in range(5, KEPT + 5)]
    assert len(customer.returns) == KEPT
    assert len(given(Customer, "ann", [noted(1), noted(2, at=NOW + YEAR)]).state.purchases) == 1


def test_a_review_downgrades_to_what_the_last_year_earned_and_sets_the_next() -> None:
    due = NOW + AFTER
    downgraded = CustomerDowngraded(
        number=2,
        previous=Tier.GOLD,
        new=Tier.STANDARD,
        reason="only 0 orders in a year",
        changed_at=due,
        review_at=due + AFTER,
    )
    assert given(Customer, "ann", GOLD).when(review(due)).then([downgraded]).review_at == due + AFTER


def test_a_review_lets_a_tier_be_that_is_still_earned_and_sets_the_next() -> None:
    due = NOW + AFTER
    more = [noted(n, at=NOW + 300 * DAY) for n in range(5, 10)]
    kept = TierKept(reviewed_at=due, review_at=due + AFTER)
    assert given(Customer, "ann", [*GOLD, *more]).when(review(due)).then([kept]).tier is Tier.GOLD


def test_a_review_promotes_nobody() -> None:
    down = CustomerDowngraded(
        number=2, previous=Tier.GOLD, new=Tier.STANDARD, reason="fraud", changed_at=NOW, review_at=NOW + DAY
    )
    kept = TierKept(reviewed_at=NOW + DAY, review_at=NOW + DAY + AFTER)
    given(Customer, "ann", [*GOLD, down]).when(review(NOW + DAY)).then([kept])


@pytest.mark.parametrize("due", [NOW, NOW + AFTER - DAY, NOW + AFTER + DAY])
def test_a_review_that_is_out_of_date_does_nothing(due: datetime) -> None:
    given(Customer, "ann", GOLD).when(review(due)).then_nothing()


def test_staff_promotes_and_downgrades_by_hand_with_a_reason() -> None:
    vip = promoted(Tier.VIP, "a friend")
    given(Customer, "ann", [REGISTERED]).when(change(Tier.VIP)).then([vip])
    down = CustomerDowngraded(
        number=2, previous=Tier.VIP, new=Tier.GOLD, reason="fraud", changed_at=NOW, review_at=NOW + AFTER
    )
    given(Customer, "ann", [REGISTERED, vip]).when(change(Tier.GOLD, "fraud")).then([down])
    given(Customer, "ann", [REGISTERED, vip]).when(change(Tier.VIP, "again")).then_nothing()
    given(Customer, "ann", [REGISTERED]).when(change(Tier.VIP, " ")).then_raises(Invalid)


def test_a_customer_is_forgotten_and_their_tier_stays() -> None:
    customer = given(Customer, "ann", GOLD).when(lambda customer: customer.forget(NOW)).then([FORGOTTEN])
    assert (customer.tier, customer.private_ref, customer.forgotten) == (Tier.GOLD, "", True)
    given(Customer, "ann", [*GOLD, FORGOTTEN]).when(lambda customer: customer.forget(NOW)).then([FORGOTTEN])
    [again] = set_timers(customer, FORGOTTEN)
    assert (again.command, again.after) == (ErasePersonalData(customer_id="ann"), timedelta(days=1))


@pytest.mark.parametrize("command", [change(Tier.GOLD), lambda customer: customer.forget(NOW)])
def test_who_is_not_registered_is_not_found(command: Callable[[Customer], None]) -> None:
    given(Customer, "ann", [noted()]).when(command).then_raises(NotFound)


@pytest.mark.parametrize(
    "event", [REGISTERED, promoted(Tier.GOLD, "why"), TierKept(reviewed_at=NOW, review_at=NOW + AFTER)]
)
def test_each_look_at_a_tier_sets_the_next(event: CustomerEvent) -> None:
    due = NOW + AFTER
    assert list(set_timers(Customer(id="ann"), event)) == [Call(ReviewTier(customer_id="ann", due=due), due=due)]


@pytest.mark.parametrize("event", [noted(), ReturnNoted(returned=returned())])
def test_what_leaves_the_tier_alone_sets_no_review(event: CustomerEvent) -> None:
    assert list(set_timers(Customer(id="ann"), event)) == []
