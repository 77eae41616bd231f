"""Subscriptions and notifications, in their own words."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st
from treaty.causes import Cause, acting
from treaty.domain import Aggregate, Call, Invalid, Rejected
from treaty.testing.scenarios import assert_folds, carried_out, given

from services.commerce.notifications.application.notifications import Send, deliver, notification_id
from services.commerce.notifications.application.subscriptions import Subscribe
from services.commerce.notifications.domain.events import (
    AttemptFailed,
    CustomerForgotten,
    NotificationDropped,
    NotificationEvent,
    NotificationFailed,
    NotificationScheduled,
    NotificationSent,
    NotificationSuppressed,
    QuietHoursSet,
    Subscribed,
    TopicsMuted,
    Unsubscribed,
)
from services.commerce.notifications.domain.notifications import COUNTED, Notification, Status
from services.commerce.notifications.domain.subscriptions import Address, Subscription
from services.commerce.notifications.domain.values import Channel, QuietHours, Text, Topic
from services.commerce.notifications.projections import NotificationRow, notification_summary
from services.commerce.notifications.storage import NOTIFICATIONS, SUBSCRIPTIONS

A = TypeVar("A", bound=Aggregate[Any])

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
NIGHT = QuietHours(start="22:30", end="07:00", zone="Europe/London")
TEXT = Text(topic=Topic.ORDERS, subject="Order o placed", body="We have your order o: ä €.")
MAIL = Subscribed(channel=Channel.EMAIL, ref="r1")
SMS = Subscribed(channel=Channel.SMS, ref="r2")
SCHEDULED = NotificationScheduled(
    customer_id="ann", text=TEXT, channel=Channel.EMAIL, ref="r1", created_at=NOW, due=None
)


def schedule(notification: Notification) -> None:
    notification.schedule(customer_id="ann", text=TEXT, channel=Channel.EMAIL, ref="r1", now=NOW, due=None)


def suppress(notification: Notification) -> None:
    notification.suppress(customer_id="ann", text=TEXT, now=NOW, reason="nobody listens")


def test_a_channel_is_wanted_until_it_is_not() -> None:
    first = given(Subscription, "ann").when(lambda one: one.subscribe(Channel.EMAIL, "r1")).then([MAIL])
    assert first.addresses_for(Topic.ORDERS) == (Address(channel=Channel.EMAIL, ref="r1"),)
    given(Subscription, "ann", [MAIL]).when(lambda one: one.subscribe(Channel.EMAIL, "r1")).then_nothing()
    gone = [Unsubscribed(channel=Channel.EMAIL)]
    left = given(Subscription, "ann", [MAIL, SMS]).when(lambda one: one.unsubscribe(Channel.EMAIL)).then(gone)
    assert left.addresses == (Address(channel=Channel.SMS, ref="r2"),)
    given(Subscription, "ann", [MAIL, *gone]).when(lambda one: one.unsubscribe(Channel.EMAIL)).then_nothing()


def test_another_address_takes_the_place_of_the_first() -> None:
    moved = Subscribed(channel=Channel.EMAIL, ref="r9")
    state = given(Subscription, "ann", [MAIL, SMS]).when(lambda one: one.subscribe(Channel.EMAIL, "r9")).then([moved])
    assert {address.ref for address in state.addresses} == {"r9", "r2"}


def test_muted_topics_are_told_nowhere() -> None:
    muted = TopicsMuted(topics=(Topic.DELIVERIES, Topic.ORDERS))
    state = (
        given(Subscription, "ann", [MAIL]).when(lambda one: one.mute([Topic.ORDERS, Topic.DELIVERIES])).then([muted])
    )
    assert [bool(state.addresses_for(topic)) for topic in (Topic.ORDERS, Topic.ACCOUNT)] == [False, True]
    given(Subscription, "ann", [MAIL, muted]).when(
        lambda one: one.mute([Topic.ORDERS, Topic.DELIVERIES, Topic.ORDERS])
    ).then_nothing()


def test_who_is_forgotten_is_told_nothing() -> None:
    assert not given(Subscription, "ann", [MAIL, SMS]).when(Subscription.forget).then([CustomerForgotten()]).addresses
    given(Subscription, "ann", [MAIL, CustomerForgotten()]).when(Subscription.forget).then_nothing()
    given(Subscription, "ann").when(Subscription.forget).then([CustomerForgotten()])
    given(Subscription, "ann", [CustomerForgotten()]).when(lambda one: one.subscribe(Channel.EMAIL, "ref")).then_raises(
        Rejected
    )


def test_quiet_hours_are_set_and_taken_back() -> None:
    given(Subscription, "ann", [MAIL]).when(lambda one: one.set_quiet_hours(NIGHT)).then([QuietHoursSet(hours=NIGHT)])
    past = [MAIL, QuietHoursSet(hours=NIGHT)]
    given(Subscription, "ann", past).when(lambda one: one.set_quiet_hours(NIGHT)).then_nothing()
    given(Subscription, "ann", past).when(lambda one: one.set_quiet_hours(None)).then([QuietHoursSet(hours=None)])


@pytest.mark.parametrize(
    ("start", "end", "zone", "field"),
    [
        ("24:00", "07:00", "UTC", "start"),
        ("22:00", "7:00", "UTC", "end"),
        ("22:00", "22:00", "UTC", "end"),
        ("22:00", "07:00", "Europe/Atlantis", "time_zone"),
        ("22:00", "07:00", "../etc/passwd", "time_zone"),
        ("22:00", "07:00", "", "time_zone"),
    ],
)
def test_quiet_hours_that_make_no_sense_are_refused(start: str, end: str, zone: str, field: str) -> None:
    hours = QuietHours(start=start, end=end, zone=zone)
    refused = given(Subscription, "ann", [MAIL]).when(lambda one: one.set_quiet_hours(hours)).then_raises(Invalid)
    assert refused.field == field


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2024-05-06T21:29:59", ""),
        ("2024-05-06T21:30:00", "2024-05-07T06:00:00"),
        ("2024-05-06T23:30:00", "2024-05-07T06:00:00"),
        ("2024-05-07T05:59:59", "2024-05-07T06:00:00"),
        ("2024-05-07T06:00:00", ""),
        ("2024-01-06T06:30:00", "2024-01-06T07:00:00"),
        ("2024-03-30T23:00:00", "2024-03-31T06:00:00"),
        ("2024-10-26T22:00:00", "2024-10-27T07:00:00"),
    ],
)
def test_a_night_crosses_midnight_and_the_change_of_the_clocks(now: str, end: str) -> None:
    expected = datetime.fromisoformat(end).replace(tzinfo=UTC) if end else None
    assert NIGHT.end_after(datetime.fromisoformat(now).replace(tzinfo=UTC)) == expected


_times = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))


@given_any(_times, _times, st.sampled_from(["UTC", "Asia/Kolkata", "Asia/Tokyo"]), st.integers(0, 10**6))
def test_quiet_hours_end_within_a_day_and_then_it_is_not_quiet(start: str, end: str, zone: str, minutes: int) -> None:
    hours, now = QuietHours(start=start, end=end, zone=zone), NOW + timedelta(minutes=minutes)
    until = hours.end_after(now) if start != end else None
    if until is not None:
        assert timedelta(0) < until - now <= timedelta(days=1)
        assert hours.end_after(until) is None


def test_a_notification_is_scheduled_once_and_then_sent() -> None:
    state = given(Notification, "n").when(schedule).then([SCHEDULED])
    assert list(deliver(state, SCHEDULED)) == [Call(Send(notification_id="n"))]
    given(Notification, "n", [SCHEDULED]).when(schedule).then_nothing()
    sent = given(Notification, "n", [SCHEDULED]).when(lambda one: one.sent(NOW)).then([NotificationSent(at=NOW)])
    assert (sent.status, sent.sent_at) == (Status.SENT, NOW)


def test_a_notification_waits_until_it_is_due() -> None:
    later = NOW + timedelta(hours=3)
    due = NotificationScheduled(customer_id="ann", text=TEXT, channel=Channel.SMS, ref="r", created_at=NOW, due=later)
    assert list(deliver(given(Notification, "n", [due]).state, due)) == [Call(Send(notification_id="n"), due=later)]


def test_what_nobody_wants_is_sent_to_nobody() -> None:
    expected = NotificationSuppressed(customer_id="ann", text=TEXT, created_at=NOW, reason="nobody listens")
    state = given(Notification, "n").when(suppress).then([expected])
    assert not list(deliver(state, expected))
    given(Notification, "n", [expected]).when(schedule).then_nothing()


def test_attempts_in_vain_are_counted_up_to_a_bound() -> None:
    state, events = carried_out(
        given(Notification, "n", [SCHEDULED]).state, [lambda one: one.note_attempt("away")] * (COUNTED + 2)
    )
    assert (state.attempts, events, state.reason) == (COUNTED, [AttemptFailed(reason="away")] * COUNTED, "away")


@pytest.mark.parametrize(
    "end",
    [NotificationSent(at=NOW), NotificationFailed(reason="no such mailbox"), NotificationDropped(reason="not wanted")],
)
def test_what_has_ended_stays_so(end: NotificationEvent) -> None:
    for command in _ends:
        given(Notification, "n", [SCHEDULED, end]).when(command).then_nothing()


_ends: list[Callable[[Notification], None]] = [
    lambda one: one.sent(NOW),
    lambda one: one.fail("no such mailbox"),
    lambda one: one.drop("not wanted"),
    lambda one: one.note_attempt("away"),
    schedule,
    suppress,
]


@given_any(st.lists(st.sampled_from(_ends), max_size=20))
def test_the_events_of_a_notification_give_its_state_and_its_row(
    commands: list[Callable[[Notification], None]],
) -> None:
    state, events = carried_out(Notification(id="n"), commands)
    assert_folds(NOTIFICATIONS, state, events)
    row: NotificationRow | None = None
    for event in events:
        row = notification_summary("n", row, event)
    assert (row is None) == (state.status is Status.NEW)
    if row is not None:
        assert (row.status, row.attempts, row.reason) == (state.status, state.attempts, state.reason)


_wishes: st.SearchStrategy[Callable[[Subscription], None]] = st.one_of(
    st.builds(
        lambda channel, ref: lambda one: one.subscribe(channel, ref), st.sampled_from(Channel), st.text(max_size=2)
    ),
    st.sampled_from(Channel).map(lambda channel: lambda one: one.unsubscribe(channel)),
    st.sampled_from([NIGHT, None]).map(lambda hours: lambda one: one.set_quiet_hours(hours)),
    st.lists(st.sampled_from(Topic), max_size=3).map(lambda topics: lambda one: one.mute(topics)),
    st.just(Subscription.forget),
)


@given_any(st.lists(_wishes, max_size=20))
def test_the_events_of_a_subscription_give_its_state(commands: list[Callable[[Subscription], None]]) -> None:
    state, events = carried_out(Subscription(id="ann"), commands)
    assert_folds(SUBSCRIPTIONS, state, events)
    assert len({address.channel for address in state.addresses}) == len(state.addresses)


def test_ids_follow_from_the_message_and_the_channel() -> None:
    with acting(Cause(id="order-o@1#1/OrderPlaced")):
        first, other = notification_id("email"), notification_id("sms")
        assert notification_id("email") == first
    with acting(Cause(id="order-o@2#1/OrderConfirmed")):
        assert len({first, other, notification_id("email")}) == 3


def test_an_address_is_not_to_be_seen_in_a_log() -> None:
    assert "ann@" not in repr(Subscribe(customer_id="ann", channel=Channel.EMAIL, address="ann@example.com"))
