"""Whatever customers do, and in whatever order it is told: events give state and rows, tiers keep their rules."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from commerce.customers.v1 import customers_events_pb2 as pb
from commerce.money.v1.money_pb2 import Money as WireMoney
from commerce.ordering.v1 import ordering_events_pb2 as ordering
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from treaty.domain import Invalid
from treaty.testing.scenarios import assert_folds, carried_out

from services.commerce.customers import acl
from services.commerce.customers.application import NotePurchase, NoteReturn
from services.commerce.customers.domain.customer import Customer
from services.commerce.customers.domain.events import (
    CustomerDowngraded,
    CustomerForgotten,
    CustomerPromoted,
    CustomerRegistered,
    PurchaseNoted,
    ReturnNoted,
    TierKept,
)
from services.commerce.customers.domain.tiers import Purchase, Return, Tier
from services.commerce.customers.projections import Kind, customer_row, happening, happening_id
from services.commerce.customers.publishing import publish
from services.commerce.customers.storage import CUSTOMERS
from services.commerce.money import Money

NOW = datetime(2024, 5, 6, tzinfo=UTC)
DAY = timedelta(days=1)
AFTER = 365 * DAY
Command = Callable[[Customer], object]


def buy(order: int, amount: int, day: int = 0) -> Command:
    bought = Purchase(order_id=f"o-{order}", amount=Money(amount, "GBP"), completed_at=NOW + day * DAY)
    return lambda customer: customer.note_purchase(bought, NOW + day * DAY, AFTER)


def give_back(number: int, order: int, amount: int) -> Command:
    back = Return(return_id=f"r-{number}", order_id=f"o-{order}", amount=Money(amount, "GBP"), noted_at=NOW)
    return lambda customer: customer.note_return(back)


def register(customer: Customer) -> None:
    customer.register("ref", NOW, AFTER)


def change(tier: Tier) -> Command:
    return lambda customer: customer.change_tier(tier, "by hand", NOW, AFTER)


def review(day: int) -> Command:
    def look(customer: Customer) -> None:
        if customer.review_at is not None:
            customer.review(customer.review_at, max(customer.review_at, NOW + day * DAY), AFTER)

    return look


_told = st.one_of(
    st.builds(buy, st.integers(0, 9), st.integers(0, 100_000), st.integers(0, 500)),
    st.builds(give_back, st.integers(0, 5), st.integers(0, 9), st.integers(0, 50_000)),
)
_commands = st.one_of(
    _told,
    st.just(register),
    st.builds(change, st.sampled_from(Tier)),
    st.builds(review, st.integers(0, 900)),
    st.just(lambda customer: customer.forget(NOW)),
)


@given(st.lists(_commands, max_size=30))
def test_the_events_of_a_customer_give_their_state(commands: list[Command]) -> None:
    state, events = carried_out(Customer(id="ann"), commands)
    assert_folds(CUSTOMERS, state, events)


@given(st.lists(_commands, max_size=30))
def test_the_tiers_of_a_customer_make_a_chain_that_their_row_follows(commands: list[Command]) -> None:
    state, events = carried_out(Customer(id="ann"), commands)
    row, tier = None, Tier.STANDARD
    for event in events:
        row = customer_row("ann", row, event)
        if isinstance(event, CustomerPromoted | CustomerDowngraded):
            assert event.previous is tier
            assert (event.new.rank > tier.rank) is isinstance(event, CustomerPromoted)
            tier = event.new
    assert tier is state.tier
    assert (None if row is None else row.tier) == (None if state.registered_at is None else tier)


@given(st.lists(_told, max_size=20))
def test_what_a_registered_customer_earns_they_have_and_returns_downgrade_nobody(commands: list[Command]) -> None:
    state, events = carried_out(Customer(id="ann"), [register, *commands])
    assert not [event for event in events if isinstance(event, CustomerDowngraded)]
    assert state.tier.rank >= state.earned_at(NOW + 500 * DAY).tier.rank


@given(st.lists(_commands, max_size=30))
def test_every_happening_has_a_row_of_its_own(commands: list[Command]) -> None:
    _, events = carried_out(Customer(id="ann"), commands)
    rows = {id: happening(id, None, event) for event in events if (id := happening_id("ann", event)) is not None}
    shown = Counter(row.kind for row in rows.values() if row is not None and row.customer_id == "ann")
    happened = Counter(type(event) for event in events)
    assert shown[Kind.PROMOTION] == happened[CustomerPromoted]
    assert shown[Kind.DOWNGRADE] == happened[CustomerDowngraded]
    assert shown[Kind.REGISTERED] == happened[CustomerRegistered]
    assert shown[Kind.FORGOTTEN] == min(1, happened[CustomerForgotten])  # it may be asked for again
    assert shown[Kind.RETURN] == happened[ReturnNoted]
    bought = {event.purchase.order_id for event in events if isinstance(event, PurchaseNoted)}
    assert shown[Kind.PURCHASE] == len(bought)


FACTS: list[Command] = [
    register,
    buy(1, 30_000, 1),
    buy(2, 10_000, 2),
    buy(3, 15_000, 3),
    give_back(1, 2, 2_000),
    give_back(2, 4, 2_000),
]


def test_in_whatever_order_things_are_told_the_same_is_known_in_the_end() -> None:
    for order in permutations(FACTS):
        state, _ = carried_out(Customer(id="ann"), [*order, *order])
        assert (len(state.purchases), len(state.returns), state.tier) == (3, 2, Tier.GOLD), order
    first, _ = carried_out(Customer(id="ann"), FACTS)
    for order in permutations(FACTS):
        assert carried_out(Customer(id="ann"), order)[0].purchases == first.purchases
        assert carried_out(Customer(id="ann"), order)[0].returns == first.returns


def wire(time: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(time)
    return message


def announced(*events: Any) -> list[Any]:
    """Returns what is announced of the last event, after all of them."""
    customer = Customer(id="ann")
    for event in events:
        customer.evolve(event)
    return list(publish(customer, events[-1]))


REGISTERED = CustomerRegistered(private_ref="secret", registered_at=NOW, review_at=NOW + AFTER)


def test_a_customer_is_announced_without_the_person() -> None:
    assert announced(REGISTERED) == [pb.CustomerRegistered(customer_id="ann", registered_at=wire(NOW))]


@pytest.mark.parametrize("kind", [CustomerPromoted, CustomerDowngraded])
def test_a_change_of_tier_is_announced_with_its_reason(kind: Any) -> None:
    event = kind(number=1, previous=Tier.GOLD, new=Tier.VIP, reason="why", changed_at=NOW, review_at=NOW + AFTER)
    told: dict[str, Any] = {"previous_tier": pb.TIER_GOLD, "new_tier": pb.TIER_VIP, "reason": "why"}
    assert announced(REGISTERED, event) == [pb.CustomerTierChanged(customer_id="ann", changed_at=wire(NOW), **told)]


def test_an_erasure_is_announced() -> None:
    forgotten = CustomerForgotten(forgotten_at=NOW)
    assert announced(REGISTERED, forgotten) == [pb.CustomerForgotten(customer_id="ann", forgotten_at=wire(NOW))]


def test_what_is_the_customers_own_is_not_announced() -> None:
    assert announced(REGISTERED, TierKept(reviewed_at=NOW, review_at=NOW + AFTER)) == []
    _, [bought] = carried_out(Customer(id="ann"), [buy(1, 100)])
    _, [back] = carried_out(Customer(id="ann"), [give_back(1, 1, 100)])
    assert (announced(bought), announced(back)) == ([], [])


PAID = WireMoney(minor_units=300, currency="GBP")


def test_a_completed_order_is_a_purchase() -> None:
    event = ordering.OrderCompleted(order_id="o", customer_id="ann", total=PAID, completed_at=wire(NOW))
    purchase = Purchase(order_id="o", amount=Money(300, "GBP"), completed_at=NOW)
    assert acl.order_completed(event) == NotePurchase(customer_id="ann", purchase=purchase)


def test_what_was_given_back_is_a_return() -> None:
    event = ordering.OrderReturned(order_id="o", customer_id="ann", return_id="r", refund=PAID)
    expected = NoteReturn(customer_id="ann", return_id="r", order_id="o", refund=Money(300, "GBP"))
    assert acl.order_returned(event) == expected


def test_the_orders_of_guests_concern_nobody_here() -> None:
    assert acl.order_completed(ordering.OrderCompleted(order_id="o", total=PAID)) is None
    assert acl.order_returned(ordering.OrderReturned(order_id="o", refund=PAID)) is None


def test_an_order_in_a_currency_we_do_not_know_is_not_guessed_at() -> None:
    strange = WireMoney(minor_units=1, currency="XXX")
    with pytest.raises(Invalid):
        acl.order_completed(ordering.OrderCompleted(order_id="o", customer_id="ann", total=strange))
