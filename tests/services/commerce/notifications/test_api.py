"""Notifications over gRPC: who wants to hear of what, and what became of what was to be said."""

from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any

import grpc
import pytest
from aiohttp import web
from commerce.catalog.v1 import catalog_events_pb2 as catalog
from commerce.customers.v1 import customers_events_pb2 as customers
from commerce.notifications.v1 import notifications_service_pb2 as pb
from treaty.clock import SystemClock
from treaty.settings import SettingsError, read_settings
from treaty.testing import eventually
from treaty.testing.clients import refusal
from treaty.testing.world import ManualClock
from treaty.web import Webhook

from services.commerce.notifications.external.simulator import Simulator
from services.commerce.notifications.service import NotificationsSettings
from tests.services.commerce.notifications.client import MAIL, NOON, PHONE, Desk, running
from tests.services.commerce.notifications.test_outlets import nothing, receiver


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with running() as one:
        yield one


async def test_a_customer_says_what_to_hear_and_how(desk: Desk) -> None:
    await desk.ask("Subscribe", email=MAIL)
    await desk.ask("Subscribe", url="https://ann.example.com/hook")
    await desk.ask("Subscribe", phone=PHONE)
    await desk.ask("Unsubscribe", channel=pb.CHANNEL_WEBHOOK)
    night = pb.QuietHours(start="22:30", end="07:00", time_zone="Europe/London")
    await desk.ask("SetQuietHours", quiet_hours=night)
    told = await desk.ask("MuteTopics", topics=[pb.TOPIC_PAYMENTS])
    assert told.subscription == pb.Subscription(
        customer_id="ann",
        channels=[pb.CHANNEL_EMAIL, pb.CHANNEL_SMS],
        quiet_hours=night,
        muted_topics=[pb.TOPIC_PAYMENTS],
    )
    found = await desk.read("GetSubscription", customer_id="ann")
    assert (found.subscription, found.revision) == (told.subscription, told.revision)


async def test_a_repeated_subscription_takes_effect_once(desk: Desk) -> None:
    request_id = desk.ids.new()
    first = await desk.ask("Subscribe", request_id=request_id, email=MAIL)
    await desk.ask("Unsubscribe", channel=pb.CHANNEL_EMAIL)
    assert await desk.ask("Subscribe", request_id=request_id, email=MAIL) == first
    assert not (await desk.read("GetSubscription", customer_id="ann")).subscription.channels


async def test_nothing_that_is_stored_holds_an_address(desk: Desk) -> None:
    await desk.ask("Subscribe", email=MAIL)
    await desk.ask("Subscribe", phone=PHONE)
    desk.place()
    await desk.listed(2)
    commits = [str(commit) for commit in desk.world.stores["commerce.notifications"].commits.commits]
    assert len(commits) >= 4
    assert not any(MAIL in commit or PHONE in commit for commit in commits)


async def test_an_event_is_told_by_every_channel_that_is_wanted(desk: Desk) -> None:
    await desk.ask("Subscribe", email=MAIL)
    await desk.ask("Subscribe", phone=PHONE)
    desk.place()
    listed = await desk.listed(2)
    assert {one.channel for one in listed} == {pb.CHANNEL_EMAIL, pb.CHANNEL_SMS}
    assert {one.status for one in listed} == {pb.NOTIFICATION_STATUS_SENT}
    [(mail_to, mail)], [(text_to, text)] = desk.mails, desk.texts
    assert (mail_to, text_to) == (MAIL, PHONE)
    assert {mail.id, text.id} == {one.notification_id for one in listed}
    found = await desk.read("GetNotification", notification_id=mail.id)
    assert "12.50 GBP" in found.notification.text
    assert found.notification.HasField("sent_at")


async def test_an_event_that_comes_again_is_told_once(desk: Desk) -> None:
    desk.world.broker.twice = True
    await desk.ask("Subscribe", email=MAIL)
    id = desk.place()
    await desk.listed(1)
    await desk.ask("Subscribe", phone=PHONE)
    desk.place(id=id)
    await eventually(desk.world.is_settled)
    assert len(desk.mails) == 1


@pytest.mark.parametrize("customer_id", ["ann", ""])
async def test_what_nobody_wants_to_hear_is_noted_all_the_same(desk: Desk, customer_id: str) -> None:
    desk.place(customer_id)
    [one] = await desk.listed(1, customer_id="")
    assert (one.customer_id, one.status) == (customer_id, pb.NOTIFICATION_STATUS_SUPPRESSED)
    assert one.reason == "there is no subscription"
    assert not desk.mails


async def test_a_muted_topic_is_not_told(desk: Desk) -> None:
    await desk.ask("Subscribe", email=MAIL)
    await desk.ask("MuteTopics", topics=[pb.TOPIC_ORDERS])
    desk.place()
    [one] = await desk.listed(1)
    assert (one.status, one.reason) == (pb.NOTIFICATION_STATUS_SUPPRESSED, "the topic is muted")


async def test_quiet_hours_hold_back_until_they_end() -> None:
    clock = ManualClock(NOON)
    async with running(clock) as desk:
        await desk.ask("Subscribe", email=MAIL)
        siesta = pb.QuietHours(start="11:00", end="14:00", time_zone="UTC")
        await desk.ask("SetQuietHours", quiet_hours=siesta)
        desk.place()
        [one] = await desk.listed(1, waiting=1)
        assert one.due_at.ToDatetime(UTC) == NOON.replace(hour=14)
        assert not desk.mails


async def test_what_was_held_back_is_sent_when_it_is_due() -> None:
    clock = ManualClock(NOON)
    async with running(clock) as desk:
        await desk.ask("Subscribe", email=MAIL)
        siesta = pb.QuietHours(start="11:00", end="14:00", time_zone="UTC")
        await desk.ask("SetQuietHours", quiet_hours=siesta)
        desk.place()
        await desk.listed(1, waiting=1)
        clock.advance(2 * 3600)
        [one] = await desk.listed(1)
        assert one.status == pb.NOTIFICATION_STATUS_SENT
        assert one.sent_at.ToDatetime(UTC) == NOON.replace(hour=14)


async def test_an_address_that_was_erased_is_not_written_to() -> None:
    async with running(NOTIFICATIONS_SMTP="127.0.0.1:9", NOTIFICATIONS_SECONDS="1") as desk:
        await desk.ask("Subscribe", email=MAIL)
        desk.place()
        await desk.listed(1, waiting=1)
        await desk.world.stores["commerce.notifications"].personal_data.erase("ann")
        [one] = await desk.listed(1)
        assert (one.status, one.reason) == (pb.NOTIFICATION_STATUS_FAILED, "the address was erased")


async def test_what_was_unsubscribed_meanwhile_is_not_sent() -> None:
    async with running(NOTIFICATIONS_SMTP="127.0.0.1:9", NOTIFICATIONS_SECONDS="1") as desk:
        await desk.ask("Subscribe", email=MAIL)
        desk.place()
        await desk.listed(1, waiting=1)
        await desk.ask("Unsubscribe", channel=pb.CHANNEL_EMAIL)
        [one] = await desk.listed(1)
        assert (one.status, one.reason) == (
            pb.NOTIFICATION_STATUS_SUPPRESSED,
            "the customer no longer uses this channel",
        )


async def test_a_forgotten_customer_is_told_nothing_and_no_address_is_left(desk: Desk) -> None:
    await desk.ask("Subscribe", email=MAIL)
    request_id = desk.ids.new()
    first = await desk.ask("ForgetCustomer", request_id=request_id)
    assert not first.subscription.channels
    assert await desk.ask("ForgetCustomer", request_id=request_id) == first
    assert await desk.world.stores["commerce.notifications"].personal_data.erase("ann") == 0
    desk.place()
    [one] = await desk.listed(1)
    assert one.status == pb.NOTIFICATION_STATUS_SUPPRESSED


async def test_the_staff_is_told_when_there_is_one() -> None:
    async with running(NOTIFICATIONS_STAFF_EMAIL="staff@example.com") as desk:
        desk.tell(catalog.ProductDiscontinued(sku="tea"))
        [one] = await desk.listed(1, customer_id="@staff")
        assert (one.status, one.topic) == (pb.NOTIFICATION_STATUS_SENT, pb.TOPIC_CATALOG)
        assert [to for to, _ in desk.mails] == ["staff@example.com"]


async def test_without_a_staff_it_is_noted_all_the_same(desk: Desk) -> None:
    desk.tell(catalog.ProductDiscontinued(sku="tea"))
    [one] = await desk.listed(1, customer_id="@staff")
    assert one.status == pb.NOTIFICATION_STATUS_SUPPRESSED


async def test_mail_and_text_messages_go_through_real_servers() -> None:
    simulator = Simulator()
    async with (
        simulator.mail_server("127.0.0.1", 0) as mail,
        simulator.sms_gateway("127.0.0.1", 0) as sms,
        running(NOTIFICATIONS_SMTP=f"127.0.0.1:{mail}", NOTIFICATIONS_SMS=f"http://127.0.0.1:{sms}") as desk,
    ):
        await desk.ask("Subscribe", email="busy@example.com")
        await desk.ask("Subscribe", phone="+441134960013")
        desk.place()
        by_channel = {one.channel: one for one in await desk.listed(2)}
    mailed, texted = by_channel[pb.CHANNEL_EMAIL], by_channel[pb.CHANNEL_SMS]
    assert (mailed.status, mailed.failed_attempts) == (pb.NOTIFICATION_STATUS_SENT, 2)
    assert (texted.status, texted.reason) == (pb.NOTIFICATION_STATUS_FAILED, "the answer was 422")
    [one] = simulator.mails
    assert one["message_id"] == f"<{mailed.notification_id}@example.com>"


async def test_notifications_are_listed_the_latest_first_in_pages(desk: Desk) -> None:
    for _ in range(3):
        desk.place()
    desk.place("bob")
    whole = await desk.listed(3)
    times = [one.created_at.ToDatetime() for one in whole]
    assert times == sorted(times, reverse=True)
    first = await desk.read("ListNotifications", customer_id="ann", page_size=2)
    rest = await desk.read("ListNotifications", customer_id="ann", page_size=2, page_token=first.next_page_token)
    assert [*first.notifications, *rest.notifications] == whole
    assert not rest.next_page_token
    revision = (await desk.read("GetNotification", notification_id=whole[0].notification_id)).revision
    shown = await desk.read("ListNotifications", customer_id="ann", not_before=revision)
    assert list(shown.notifications) == whole


@pytest.mark.parametrize(
    ("method", "values", "fields"),
    [
        ("Subscribe", {}, {"address"}),
        ("Subscribe", {"email": "ann"}, {"email"}),
        ("Subscribe", {"phone": "01134960000"}, {"phone"}),
        ("Subscribe", {"url": "ftp://ann.example.com/"}, {"url"}),
        ("Subscribe", {"customer_id": "@staff", "email": MAIL}, {"customer_id"}),
        ("Unsubscribe", {}, {"channel"}),
        ("MuteTopics", {"topics": [0]}, {"topics[0]"}),
        ("SetQuietHours", {"quiet_hours": pb.QuietHours(start="25:00", end="07:00", time_zone="UTC")}, None),
        ("SetQuietHours", {"quiet_hours": pb.QuietHours(start="07:00", end="07:00", time_zone="UTC")}, {"end"}),
    ],
)
async def test_what_makes_no_sense_is_refused(
    desk: Desk, method: str, values: dict[str, Any], fields: set[str] | None
) -> None:
    await desk.ask("Subscribe", email=MAIL)
    refused = await refusal(desk.ask(method, **values))
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.fields.keys() == (fields or {"quiet_hours.start"})


@pytest.mark.parametrize("method", ["Unsubscribe", "MuteTopics"])
async def test_who_never_subscribed_is_not_found(desk: Desk, method: str) -> None:
    values = {"channel": pb.CHANNEL_EMAIL} if method == "Unsubscribe" else {}
    assert (await refusal(desk.ask(method, **values))).code is grpc.StatusCode.NOT_FOUND


async def test_what_a_subscription_that_was_not_carried_out_has_left_is_erased(desk: Desk) -> None:
    kept = desk.world.stores["commerce.notifications"].personal_data
    await kept.keep("ann", {"email": MAIL})
    assert not (await desk.ask("ForgetCustomer")).subscription.channels
    assert await kept.erase("ann") == 0


async def test_customers_that_customers_forgets_have_no_address_left_and_subscribe_no_more(desk: Desk) -> None:
    request_id = desk.ids.new()
    first = await desk.ask("Subscribe", email=MAIL, request_id=request_id)
    kept = desk.world.stores["commerce.notifications"].personal_data
    left = await kept.keep("bob", {"email": "bob@example.com"})
    for customer_id in ("ann", "bob"):
        desk.tell(customers.CustomerForgotten(customer_id=customer_id))
    await eventually(desk.world.is_settled)
    assert not (await desk.read("GetSubscription", customer_id="ann")).subscription.channels
    assert await kept.find(left) is None

    assert await desk.ask("Subscribe", email=MAIL, request_id=request_id) == first, "a repeat gets the first answer"
    for customer_id in ("ann", "bob"):
        refused = await refusal(desk.ask("Subscribe", email=MAIL, customer_id=customer_id))
        assert refused.reason == "CUSTOMER_FORGOTTEN"
        assert await kept.erase(customer_id) == 0


async def test_an_address_that_arrived_beside_the_erasure_is_erased_a_day_later() -> None:
    clock = ManualClock()
    async with running(clock) as desk:
        kept = desk.world.stores["commerce.notifications"].personal_data
        await desk.ask("ForgetCustomer")
        late = await kept.keep("ann", {"email": MAIL})
        clock.advance(86_401)
        await eventually(lambda: _is_gone(kept, late))


async def _is_gone(kept: Any, ref: str) -> bool:
    return await kept.find(ref) is None


def test_the_secret_for_development_is_for_development_only() -> None:
    assert read_settings(NotificationsSettings, {}).smtp == "simulated"
    with pytest.raises(SettingsError, match="NOTIFICATIONS_WEBHOOK_KEY"):
        read_settings(NotificationsSettings, {"TREATY_ENVIRONMENT": "production"})


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://ann.example.com/hook", "https"),
        ("https://127.0.0.1/hook", "not public"),
        ("https://[::ffff:169.254.169.254]/hook", "not public"),
        ("https://2130706433/hook", "usual IP address"),
        ("https://ann:secret@ann.example.com/hook", "password"),
    ],
)
async def test_a_webhook_that_must_not_be_called_is_not_taken(desk: Desk, url: str, why: str) -> None:
    refused = await refusal(desk.ask("Subscribe", url=url))
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.fields.keys() == {"url"}
    assert why in refused.message
    assert (await refusal(desk.read("GetSubscription", customer_id="ann"))).code is grpc.StatusCode.NOT_FOUND


async def test_a_subscriber_gets_the_secret_of_its_own_webhook() -> None:
    taken: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        taken.append((request.headers, await request.read()))
        return web.Response()

    async with (
        receiver(take) as url,
        running(NOTIFICATIONS_WEBHOOK_PRIVATE="true", NOTIFICATIONS_WEBHOOK_HTTP="true") as desk,
    ):
        secret = (await desk.ask("Subscribe", url=url)).signing_secret
        assert not (await desk.ask("Subscribe", email=MAIL)).signing_secret
        assert (await desk.ask("Subscribe", customer_id="bob", url=url)).signing_secret != secret
        desk.place()
        await desk.listed(2)
        [(headers, body)] = taken
        hook = Webhook(path="/hook", secret=secret, take=nothing)
        assert hook.verified(headers, body, SystemClock().now())


async def test_a_webhook_that_resolves_to_a_private_address_fails_for_good_and_says_why(desk: Desk) -> None:
    await desk.ask("Subscribe", url="https://localhost/hook")
    desk.place()
    [told] = await desk.listed(1)
    assert (told.status, told.reason) == (pb.NOTIFICATION_STATUS_FAILED, "the address is not public")
