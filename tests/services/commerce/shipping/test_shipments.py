"""The shipment, in its own words: it hears in any order, and follows a carrier whose reports come as they like."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st
from treaty.domain import Call, Rejected
from treaty.testing.scenarios import assert_folds, carried_out, given

from services.commerce.shipping.application import (
    BookCarrier,
    CancelBooking,
    ask_carrier,
)
from services.commerce.shipping.domain.events import (
    BookedTooLate,
    BookingCancelled,
    ParcelTracked,
    RecallRefused,
    ShipmentDelivered,
    ShipmentDispatched,
    ShipmentEvent,
    ShipmentFailed,
)
from services.commerce.shipping.domain.shipments import KEPT, Shipment
from services.commerce.shipping.domain.tracking import Report, Status, TrackingEvent
from services.commerce.shipping.projections import ShipmentRow, shipment_summary
from services.commerce.shipping.storage import SHIPMENTS
from tests.services.commerce.shipping.shipments import (
    ALLOCATED,
    BOOKED,
    BOOKING,
    CANCELLED,
    CONFIRMED,
    CREATED,
    DISPATCHED,
    LEFT,
    LINES,
    NEW,
    NOW,
    PAID,
    STARTED,
    WAITING,
)

HEARING: dict[str, Callable[[Shipment], None]] = {
    "confirmed": lambda shipment: shipment.confirm("ann", NOW),
    "paid": lambda shipment: shipment.pay(NOW),
    "allocated": lambda shipment: shipment.allocate(LINES, NOW),
}


def report(kind: Report, minute: int = 0) -> TrackingEvent:
    return TrackingEvent(status=kind, word=kind.name, at=NOW + timedelta(minutes=minute), place="depot")


def track(kind: Report, minute: int = 0, number: str = "PN1") -> Callable[[Shipment], None]:
    return lambda shipment: shipment.track("parcelnet", number, report(kind, minute))


def tracked(kind: Report, status: Status, minute: int = 0) -> ParcelTracked:
    return ParcelTracked(report=report(kind, minute), status=status)


def booked(shipment: Shipment) -> None:
    shipment.booked("parcelnet", "PN1")


def cancel(shipment: Shipment) -> None:
    shipment.cancel("changed my mind")


def shipped(commands: Sequence[Callable[[Shipment], object]], past: Sequence[ShipmentEvent] = ()) -> Any:
    """Returns the shipment and all its events after the commands."""
    state, events = carried_out(given(Shipment, "o", past).state, commands)
    return state, [*past, *events]


@pytest.mark.parametrize("order", list(permutations(HEARING)))
def test_a_shipment_is_created_when_all_three_were_heard_in_any_order(order: Sequence[str]) -> None:
    for heard in range(3):
        state, events = shipped([HEARING[name] for name in order[:heard]])
        assert CREATED not in events
        assert state.status is (Status.AWAITED if heard else Status.NEW)
    state, events = shipped([HEARING[name] for name in order])
    assert (events[-1], events.count(CREATED), state.status) == (CREATED, 1, Status.CREATED)
    assert (state.customer_id, state.lines) == ("ann", LINES)


@pytest.mark.parametrize("name", list(HEARING))
def test_being_told_twice_changes_nothing(name: str) -> None:
    state, _ = shipped([HEARING[name]])
    once = state.fork()
    HEARING[name](once)
    assert (once, once.take_recorded()) == (state, ())
    given(Shipment, "o", NEW).when(HEARING[name]).then_nothing()


@pytest.mark.parametrize("name", list(HEARING))
def test_a_shipment_that_was_cancelled_before_it_was_heard_of_never_starts(name: str) -> None:
    assert given(Shipment, "o").when(cancel).then([CANCELLED]).status is Status.CANCELLED
    told = given(Shipment, "o", [CANCELLED]).when(HEARING[name])
    told.then([CANCELLED] if name == "confirmed" else [])


@pytest.mark.parametrize("past", [[], [CONFIRMED], [PAID, ALLOCATED], NEW, BOOKING, WAITING])
def test_a_shipment_can_be_cancelled_until_the_carrier_has_it(past: list[ShipmentEvent]) -> None:
    given(Shipment, "o", past).when(cancel).then([CANCELLED])
    given(Shipment, "o", [*past, CANCELLED]).when(cancel).then_nothing()
    given(Shipment, "o", past).when(lambda shipment: shipment.give_up("changed my mind")).then([CANCELLED])


@pytest.mark.parametrize("more", [[], [ShipmentDelivered(at=NOW)], [tracked(Report.EXCEPTION, Status.EXCEPTION)]])
def test_a_shipment_that_has_left_cannot_be_cancelled(more: list[ShipmentEvent]) -> None:
    given(Shipment, "o", [*LEFT, *more]).when(cancel).then_raises(Rejected, "SHIPMENT_DISPATCHED")
    given(Shipment, "o", [*LEFT, *more]).when(lambda shipment: shipment.give_up("late")).then_nothing()


def test_cancelling_what_has_failed_is_no_error() -> None:
    given(Shipment, "o", [*NEW, ShipmentFailed(reason="nobody delivers there")]).when(cancel).then_nothing()


def test_a_booking_is_noted_once() -> None:
    given(Shipment, "o", NEW).when(Shipment.start_booking).then([STARTED])
    given(Shipment, "o", BOOKING).when(Shipment.start_booking).then_nothing()
    assert given(Shipment, "o", BOOKING).when(booked).then([BOOKED]).tracking_number == "PN1"
    given(Shipment, "o", WAITING).when(booked).then_nothing()


def test_a_booking_that_comes_too_late_is_taken_back_once() -> None:
    late = BookedTooLate(carrier="parcelnet", tracking_number="PN1")
    state = given(Shipment, "o", [*BOOKING, CANCELLED]).when(booked).then([late])
    assert list(ask_carrier(state, late)) == [Call(CancelBooking(order_id="o", tracking_number="PN1"))]
    given(Shipment, "o", [*BOOKING, CANCELLED, late]).when(booked).then_nothing()


def test_what_the_carrier_is_asked() -> None:
    assert list(ask_carrier(given(Shipment, "o", NEW).state, CREATED)) == [Call(BookCarrier(order_id="o"))]
    assert not list(ask_carrier(given(Shipment, "o", [*NEW, CANCELLED]).state, CANCELLED))
    assert list(ask_carrier(given(Shipment, "o", [*WAITING, CANCELLED]).state, CANCELLED)) == [
        Call(CancelBooking(order_id="o", tracking_number="PN1"))
    ]


def test_a_recall_that_the_carrier_refused_is_there_to_be_seen() -> None:
    past = [*WAITING, CANCELLED]
    given(Shipment, "o", past).when(lambda shipment: shipment.recalled(True)).then([BookingCancelled()])
    state = given(Shipment, "o", past).when(lambda shipment: shipment.recalled(False)).then([RecallRefused()])
    assert (state.recall_refused, state.status) == (True, Status.CANCELLED)


def test_a_collected_parcel_is_dispatched() -> None:
    expected = [DISPATCHED, tracked(Report.COLLECTED, Status.IN_TRANSIT)]
    assert given(Shipment, "o", WAITING).when(track(Report.COLLECTED)).then(expected).dispatched_at == NOW


@pytest.mark.parametrize("kind", [Report.IN_TRANSIT, Report.OUT_FOR_DELIVERY, Report.DELIVERED, Report.EXCEPTION])
def test_what_only_a_parcel_on_its_way_can_do_tells_that_it_was_dispatched(kind: Report) -> None:
    _, events = shipped([track(kind)], WAITING)
    assert events[len(WAITING)] == DISPATCHED


def test_a_report_may_be_faster_than_the_answer_to_the_booking() -> None:
    expected = [BOOKED, DISPATCHED, tracked(Report.COLLECTED, Status.IN_TRANSIT)]
    given(Shipment, "o", BOOKING).when(track(Report.COLLECTED)).then(expected)
    given(Shipment, "o", [*BOOKING, *expected]).when(booked).then_nothing()


def test_an_unknown_report_moves_nothing() -> None:
    note = tracked(Report.NOTE, Status.BOOKED)
    assert given(Shipment, "o", WAITING).when(track(Report.NOTE)).then([note]).status is Status.BOOKED
    assert given(Shipment, "o", LEFT).when(track(Report.NOTE)).then(
        [tracked(Report.NOTE, Status.IN_TRANSIT)]
    ).tracking == (report(Report.NOTE),)


@pytest.mark.parametrize("past", [[], [CONFIRMED], NEW, [*LEFT, ShipmentDelivered(at=NOW)], [*WAITING, CANCELLED]])
def test_a_report_on_what_is_not_under_way_changes_nothing(past: list[ShipmentEvent]) -> None:
    for kind in Report:
        given(Shipment, "o", past).when(track(kind)).then_nothing()


def test_a_report_on_another_parcel_changes_nothing() -> None:
    given(Shipment, "o", WAITING).when(track(Report.DELIVERED, number="PN2")).then_nothing()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(Report.RETURNED, "returned to the sender"), (Report.CANCELLED, "cancelled by the carrier")],
)
def test_a_parcel_that_will_not_arrive_has_failed(kind: Report, reason: str) -> None:
    state, events = shipped([track(kind)], LEFT)
    assert (events[-1], state.status) == (ShipmentFailed(reason=reason), Status.FAILED)


def test_a_booking_that_the_carrier_cancelled_has_failed_without_having_left() -> None:
    _, events = shipped([track(Report.CANCELLED)], WAITING)
    assert DISPATCHED not in events


def test_after_an_exception_it_may_go_on_but_nothing_goes_back() -> None:
    ways = [Report.OUT_FOR_DELIVERY, Report.EXCEPTION, Report.IN_TRANSIT, Report.OUT_FOR_DELIVERY, Report.IN_TRANSIT]
    stands = [
        shipped([track(kind, minute) for minute, kind in enumerate(ways[:length])], LEFT)[0].status
        for length in range(1, 6)
    ]
    assert stands == [
        Status.OUT_FOR_DELIVERY,
        Status.EXCEPTION,
        Status.IN_TRANSIT,
        Status.OUT_FOR_DELIVERY,
        Status.OUT_FOR_DELIVERY,
    ]


_moving = st.sampled_from([Report.COLLECTED, Report.IN_TRANSIT, Report.OUT_FOR_DELIVERY, Report.EXCEPTION, Report.NOTE])


@given_any(st.data(), st.lists(_moving, max_size=6))
def test_where_a_parcel_stands_does_not_depend_on_the_order_in_which_reports_come(
    data: st.DataObject, kinds: list[Report]
) -> None:
    reports = [track(kind, minute) for minute, kind in enumerate(kinds)]
    shuffled = data.draw(st.permutations(reports))
    one, other = shipped(reports, LEFT)[0], shipped([*shuffled, *shuffled], LEFT)[0]
    assert (one.status, one.tracking) == (other.status, other.tracking)


@given_any(st.lists(st.builds(track, st.sampled_from(Report), st.integers(0, 5)), max_size=12))
def test_a_parcel_ends_once_and_is_dispatched_before_it_is_delivered(
    commands: list[Callable[[Shipment], None]],
) -> None:
    state, events = shipped([*commands, track(Report.DELIVERED, 9)], WAITING)
    kinds = [type(event) for event in events]
    assert kinds.count(ShipmentDelivered) + kinds.count(ShipmentFailed) == 1
    assert isinstance(events[-1], ShipmentDelivered | ShipmentFailed)
    if ShipmentDelivered in kinds:
        assert kinds.count(ShipmentDispatched) == 1
    assert_folds(SHIPMENTS, state, events)


_commands = st.one_of(
    st.sampled_from([*HEARING.values(), cancel, booked, Shipment.start_booking]),
    st.just(lambda shipment: shipment.give_up("late")),
    st.just(lambda shipment: shipment.fail("nobody delivers there")),
    st.booleans().map(lambda cancelled: lambda shipment: shipment.recalled(cancelled)),
    st.builds(track, st.sampled_from(Report), st.integers(0, 5)),
)


@given_any(st.lists(_commands, max_size=25), st.sampled_from([[], NEW, WAITING]))
def test_the_events_of_a_shipment_give_its_state(
    commands: list[Callable[[Shipment], object]], past: list[ShipmentEvent]
) -> None:
    state, events = shipped(commands, past)
    assert_folds(SHIPMENTS, state, events)


@given_any(st.lists(_commands, max_size=25), st.sampled_from([[], NEW, WAITING]))
def test_the_list_shows_what_the_shipment_is(
    commands: list[Callable[[Shipment], object]], past: list[ShipmentEvent]
) -> None:
    state, events = shipped(commands, past)
    row: ShipmentRow | None = None
    for event in events:
        row = shipment_summary("o", row, event)
    assert (row is None) == (state.created_at is None)
    if row is not None:
        assert (row.status, row.tracking_number, row.reason) == (state.status, state.tracking_number, state.reason)


def test_the_latest_reports_are_kept_and_where_it_stood_before_them() -> None:
    reports = [track(Report.OUT_FOR_DELIVERY), *(track(Report.NOTE, minute) for minute in range(1, KEPT + 5))]
    state, _ = shipped([*reports, track(Report.IN_TRANSIT, 99)], LEFT)
    assert len(state.tracking) == KEPT
    assert state.status is Status.OUT_FOR_DELIVERY
