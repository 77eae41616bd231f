"""Offers and buyers: what Ordering keeps of the words of others, and the lists made of it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given as forall
from hypothesis import strategies as st
from treaty.testing.scenarios import assert_folds, given

from services.commerce.ordering.domain.buyer import Buyer
from services.commerce.ordering.domain.events import (
    AvailabilityChanged,
    OfferDescribed,
    OfferEvent,
    OfferPriced,
    OfferWithdrawn,
    OrderCompleted,
    ReturnCompleted,
    TierNoted,
)
from services.commerce.ordering.domain.offer import Offer
from services.commerce.ordering.domain.pricing import Promotion, Tier, price_at
from services.commerce.ordering.projections import OfferRow, SalesRow, daily_sales, offers, sales_day
from services.commerce.ordering.storage import BUYERS, OFFERS
from tests.services.commerce.ordering.orders import gbp

NOW = datetime(2024, 5, 6, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DESCRIBED = OfferDescribed(name="Tea", category="kitchen", words=("green", "tea"))
PRICED = OfferPriced(list_price=gbp(150), promotion=None)
SALE = Promotion(price=gbp(120), starts_at=NOW, ends_at=NOW + HOUR)


def test_a_promotion_holds_from_its_start_and_not_at_its_end() -> None:
    moments = [NOW - HOUR, NOW, NOW + HOUR / 2, NOW + HOUR]
    assert [price_at(gbp(150), SALE, at).minor_units for at in moments] == [150, 120, 120, 150]


def test_hearing_the_same_again_changes_nothing() -> None:
    past = [DESCRIBED, PRICED, AvailabilityChanged(warehouse="main", available=3)]
    known = given(Offer, "tea", past)
    known.when(lambda o: o.describe(name="Tea", category="kitchen", words=("green", "tea"))).then_nothing()
    known.when(lambda o: o.price(gbp(150), None)).then_nothing()
    known.when(lambda o: o.stock("main", 3)).then_nothing()
    known.when(lambda o: o.stock("main", 2)).then([AvailabilityChanged(warehouse="main", available=2)])


def test_a_product_is_withdrawn_once() -> None:
    given(Offer, "tea", [PRICED]).when(Offer.withdraw).then([OfferWithdrawn()])
    given(Offer, "tea", [PRICED, OfferWithdrawn()]).when(Offer.withdraw).then_nothing()


def _row(events: Sequence[OfferEvent]) -> OfferRow:
    row: OfferRow | None = None
    for event in events:
        row = offers("tea", row, event)
    assert row is not None
    return row


def test_a_product_is_offered_once_it_has_a_name_and_a_price_and_until_it_is_withdrawn() -> None:
    stocked = AvailabilityChanged(warehouse="main", available=3)
    assert not _row([stocked]).offered
    assert not _row([stocked, DESCRIBED]).offered
    row = _row([stocked, DESCRIBED, PRICED])
    assert (row.offered, row.available, row.in_stock, row.price, row.rank) == (True, 3, True, 150, "tea tea")
    assert not _row([stocked, DESCRIBED, PRICED, OfferWithdrawn()]).offered


def test_availability_is_the_sum_over_the_warehouses() -> None:
    changes = [("main", 3), ("north", 2), ("main", 0)]
    row = _row([DESCRIBED, PRICED, *(AvailabilityChanged(warehouse=w, available=n) for w, n in changes)])
    assert (row.available, row.in_stock) == (2, True)


_commands = st.one_of(
    st.builds(lambda n: lambda o: o.describe(name=n, category="c", words=(n,)), st.sampled_from(["a", "b"])),
    st.builds(lambda p, s: lambda o: o.price(gbp(p), s), st.integers(0, 99), st.sampled_from([None, SALE])),
    st.builds(lambda w, n: lambda o: o.stock(w, n), st.sampled_from(["main", "north"]), st.integers(0, 9)),
    st.just(Offer.withdraw),
)


@forall(st.lists(_commands, max_size=12))
def test_the_events_of_an_offer_give_its_state(commands: list[Callable[[Offer], Any]]) -> None:
    offer = Offer(id="tea")
    for command in commands:
        command(offer)
    assert_folds(OFFERS, offer, offer.take_recorded())


def test_a_buyer_has_the_tier_that_was_heard_last() -> None:
    given(Buyer, "ann").when(lambda b: b.note(Tier.STANDARD)).then_nothing()
    gold = given(Buyer, "ann").when(lambda b: b.note(Tier.GOLD)).then([TierNoted(tier=Tier.GOLD)])
    assert_folds(BUYERS, gold, [TierNoted(tier=Tier.GOLD)])


def completed(hour: int, total: int) -> OrderCompleted:
    return OrderCompleted(completed_at=NOW + hour * HOUR, total=gbp(total), pieces=2)


def refunded(hour: int, refund: int) -> ReturnCompleted:
    return ReturnCompleted(return_id="r", refund=gbp(refund), completed_at=NOW + hour * HOUR)


def _days(events: Sequence[Any]) -> dict[str, SalesRow | None]:
    rows: dict[str, SalesRow | None] = {}
    for event in events:
        day = sales_day("o", event)
        assert day is not None
        rows[day] = daily_sales(day, rows.get(day), event)
    return rows


def test_sales_are_counted_on_the_day_of_delivery_and_refunds_on_their_own() -> None:
    days = _days([completed(0, 700), completed(1, 300), refunded(24, 700)])
    first = SalesRow(day="2024-05-06", currency="GBP", orders=2, pieces=4, sales=1000)
    assert days == {
        "2024-05-06/GBP": first,
        "2024-05-07/GBP": SalesRow(day="2024-05-07", currency="GBP", refunds=700),
    }
    assert sales_day("o", DESCRIBED) is None  # type: ignore[arg-type]


@forall(st.permutations([completed(0, 700), completed(13, 300), refunded(13, 700), completed(2, 5), refunded(3, 1)]))
def test_daily_sales_do_not_depend_on_the_order_of_the_orders(events: list[Any]) -> None:
    assert _days(events) == _days(sorted(events, key=lambda e: e.completed_at))
