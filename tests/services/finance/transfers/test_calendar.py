"""The calendar: dates from the anchor, banking days of TARGET, clock changes, and runs that were missed."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as always
from hypothesis import strategies as st
from treaty.domain import Call, Invalid, Rejected
from treaty.testing.scenarios import assert_folds, carried_out, given

from services.finance.money import Money
from services.finance.transfers.application.commands import InitiateTransfer, RunOrder
from services.finance.transfers.application.orders import make_runs, transfer_of
from services.finance.transfers.clients import TargetDays
from services.finance.transfers.domain.calendar import (
    MOST_AT_ONCE,
    Adjust,
    Every,
    Missed,
    Schedule,
    adjusted,
    date_of,
    moment,
    run_before,
    run_of,
)
from services.finance.transfers.domain.events import OrderEnded, OrderPlaced, OrderRan, Terms
from services.finance.transfers.domain.order import Order
from services.finance.transfers.storage import ORDERS

BERLIN = ZoneInfo("Europe/Berlin")
TARGET = TargetDays()
TERMS = Terms(payer="a", payee="b", amount=Money(500, "EUR"), customer_id="c", initiated_by="c", reference="o")


def schedule(
    start: str = "2026-01-31",
    end: str = "",
    every: Every = Every.MONTH,
    adjust: Adjust = Adjust.KEEP,
    missed: Missed = Missed.ALL,
    at: str = "06:00",
) -> Schedule:
    return Schedule(start=start, end=end, at=at, zone="Europe/Berlin", every=every, adjust=adjust, missed=missed)


def always_open(day: date) -> bool:
    return True


def dates(of: Schedule, count: int) -> list[str]:
    return [str(date_of(of, number)) for number in range(count)]


def test_the_31st_stays_the_31st_after_a_short_month() -> None:
    assert dates(schedule(), 4) == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]


def test_a_leap_day_comes_back_in_a_leap_year() -> None:
    yearly = schedule("2024-02-29", every=Every.YEAR)
    assert dates(yearly, 5) == ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]


def test_other_intervals() -> None:
    assert dates(schedule(every=Every.WEEK), 2) == ["2026-01-31", "2026-02-07"]
    assert dates(schedule(every=Every.DAY), 2) == ["2026-01-31", "2026-02-01"]
    assert dates(schedule(every=Every.ONCE), 2) == ["2026-01-31", "None"]
    assert date_of(schedule("9999-12-31", every=Every.DAY), 1) is None
    assert date_of(schedule("9999-12-31", every=Every.MONTH), 1) is None


@pytest.mark.parametrize(
    ("day", "adjust", "carried_out"),
    [
        ("2026-01-31", Adjust.FOLLOWING, "2026-02-02"),
        ("2026-01-31", Adjust.PRECEDING, "2026-01-30"),
        ("2026-01-31", Adjust.KEEP, "2026-01-31"),
        ("2026-04-03", Adjust.FOLLOWING, "2026-04-07"),
        ("2026-12-25", Adjust.FOLLOWING, "2026-12-28"),
        ("2026-05-01", Adjust.FOLLOWING, "2026-05-04"),
        ("2026-01-02", Adjust.FOLLOWING, "2026-01-02"),
    ],
)
def test_a_date_that_is_no_banking_day_is_adjusted(day: str, adjust: Adjust, carried_out: str) -> None:
    assert str(adjusted(date.fromisoformat(day), adjust, TARGET)) == carried_out


def test_the_holidays_of_target_in_2026() -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    closed = [str(day) for day in days if day.weekday() < 5 and not TARGET(day)]
    assert closed == ["2026-01-01", "2026-04-03", "2026-04-06", "2026-05-01", "2026-12-25"]


@pytest.mark.parametrize(
    ("day", "at"),
    [
        ("2026-03-28", datetime(2026, 3, 28, 1, 30, tzinfo=UTC)),
        ("2026-03-29", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # 02:30 does not exist: 03:30 summer time
        ("2026-10-25", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # 02:30 exists twice: the first
        ("2026-10-26", datetime(2026, 10, 26, 1, 30, tzinfo=UTC)),
    ],
)
def test_a_time_runs_once_although_clocks_change(day: str, at: datetime) -> None:
    assert moment(date.fromisoformat(day), time(2, 30), BERLIN) == at


@pytest.mark.parametrize("start", ["2026-03-28", "2026-10-24"])
def test_a_daily_order_runs_once_a_day_when_clocks_change(start: str) -> None:
    daily = schedule(start, every=Every.DAY, at="02:30")
    runs = [run_of(daily, number, always_open) for number in range(4)]
    moments = [run.at for run in runs if run is not None]
    assert len(set(moments)) == 4
    assert moments == sorted(moments)


@always(
    start=st.dates(date(1900, 1, 1), date(2030, 1, 1)),
    day=st.dates(date(1990, 1, 1), date(2030, 1, 1)),
    every=st.sampled_from(Every),
    adjust=st.sampled_from(Adjust),
)
def test_a_search_for_the_first_run_begins_near_it_and_not_behind_it(
    start: date, day: date, every: Every, adjust: Adjust
) -> None:
    of, now = schedule(str(start), every=every, adjust=adjust), datetime.combine(day, time(12), UTC)
    first = run_before(of, day)
    if first > 0:
        before = run_of(of, first - 1, TARGET)
        assert before is not None
        assert before.at <= now
    steps = 0
    while (run := run_of(of, first + steps, TARGET)) is not None and run.at <= now:
        steps += 1
    assert steps <= 80


NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)


def placed(of: Schedule, now: datetime = NOON) -> Order:
    order = Order(id="o")
    order.place(TERMS, of, now, always_open)
    order.take_recorded()
    return order


def ran(order: Order, now: datetime) -> OrderRan:
    assert order.next_at is not None
    order.run(order.next_at, now, always_open)
    [event] = order.take_recorded()
    assert isinstance(event, OrderRan)
    return event


AFTER_THREE = datetime(2026, 3, 31, 4, 30, tzinfo=UTC)
"""Half an hour after the third run, at 06:00 summer time."""


@pytest.mark.parametrize(
    ("missed", "made", "skipped"),
    [
        (Missed.ALL, ("2026-01-31", "2026-02-28", "2026-03-31"), ()),
        (Missed.ONCE, ("2026-03-31",), ("2026-01-31", "2026-02-28")),
        (Missed.NONE, ("2026-03-31",), ("2026-01-31", "2026-02-28")),
    ],
)
def test_three_due_dates_in_a_downtime_follow_the_policy_of_the_order(
    missed: Missed, made: tuple[str, ...], skipped: tuple[str, ...]
) -> None:
    event = ran(placed(schedule(missed=missed)), AFTER_THREE)
    assert (event.made, event.skipped, event.next_run) == (made, skipped, 3)


def test_with_none_a_run_of_hours_ago_is_not_made_up_for() -> None:
    event = ran(placed(schedule(missed=Missed.NONE)), AFTER_THREE + timedelta(hours=3))
    assert (event.made, len(event.skipped)) == ((), 3)


def test_a_run_is_made_once_although_its_timer_fires_twice() -> None:
    order = placed(schedule())
    due = order.next_at
    assert due is not None
    order.run(due, due, always_open)
    order.run(due, due, always_open)
    [event] = order.take_recorded()
    assert list(make_runs(order, event)) == [
        Call(
            InitiateTransfer(
                transfer_id=transfer_of("o", "2026-01-31"),
                terms=Terms(
                    payer="a",
                    payee="b",
                    amount=Money(500, "EUR"),
                    customer_id="c",
                    initiated_by="c",
                    reference="o",
                    due_on="2026-01-31",
                ),
            )
        ),
        Call(RunOrder(order_id="o", due=order.next_at or due), due=order.next_at),
    ]


def test_a_timer_before_its_time_by_a_slow_clock_makes_the_run() -> None:
    order = placed(schedule())
    assert order.next_at is not None
    assert ran(order, order.next_at - timedelta(seconds=2)).made == ("2026-01-31",)


def test_a_scheduled_transfer_runs_once_and_has_ended() -> None:
    order = placed(schedule(every=Every.ONCE))
    assert ran(order, AFTER_THREE).next_at is None
    assert order.ended


def test_an_end_is_the_last_date() -> None:
    order = placed(schedule(end="2026-02-28"))
    assert ran(order, AFTER_THREE).made == ("2026-01-31", "2026-02-28")
    assert order.ended


def test_a_long_downtime_is_made_up_for_in_several_commits() -> None:
    order = placed(schedule(every=Every.DAY))
    late = datetime(2026, 7, 1, tzinfo=UTC)
    assert len(ran(order, late).made) == MOST_AT_ONCE
    assert order.next_at is not None
    assert order.next_at < late
    assert len(ran(order, late).made) == 51


def test_runs_of_the_past_are_left_out_when_an_order_is_placed() -> None:
    assert placed(schedule("2025-12-31")).next_run == 1
    with pytest.raises(Invalid, match="no run in the future"):
        placed(schedule("2025-12-31", every=Every.ONCE))
    with pytest.raises(Invalid, match="no run in the future"):
        placed(schedule("2025-12-31", end="2026-01-01"))


def test_an_order_is_placed_once_and_ends_for_good() -> None:
    order = placed(schedule())
    with pytest.raises(Rejected, match="exists already"):
        order.place(TERMS, schedule(), NOON, always_open)
    due = order.next_at
    ended = OrderEnded(by="ann", reason="moved")
    past = [OrderPlaced(terms=TERMS, schedule=schedule(), next_run=0, next_at=due or NOON), ended]
    given(Order, "o", past).when(lambda it: it.end("ann", "again")).then_nothing()
    given(Order, "o", past).when(lambda it: it.run(due or NOON, AFTER_THREE, always_open)).then_nothing()


_schedules = st.builds(
    schedule,
    start=st.dates(date(2026, 1, 1), date(2026, 3, 31)).map(str),
    every=st.sampled_from(Every),
    adjust=st.sampled_from(Adjust),
    missed=st.sampled_from(Missed),
    at=st.sampled_from(["00:00", "02:30", "23:59"]),
)


@always(_schedules, st.lists(st.integers(1, 90), max_size=6))
def test_every_date_is_made_or_skipped_once_whatever_the_downtimes(of: Schedule, days: list[int]) -> None:
    now = datetime(2025, 12, 31, tzinfo=UTC)
    commands = [lambda it: it.place(TERMS, of, datetime(2025, 12, 31, tzinfo=UTC), TARGET)]
    for step in days:
        now += timedelta(days=step)
        commands.append(lambda it, now=now: it.next_at and it.next_at <= now and it.run(it.next_at, now, TARGET))  # type: ignore[misc]
    state, events = carried_out(Order(id="o"), commands)
    assert_folds(ORDERS, state, events)
    runs = [day for event in events if isinstance(event, OrderRan) for day in (*event.made, *event.skipped)]
    assert len(runs) == len(set(runs)) == state.made + state.skipped
    assert set(runs) <= {str(date_of(of, number)) for number in range(state.next_run + 1)}
