"""The use cases of notifications, with their commands."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from treaty.causes import current_cause, step
from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.domain import Call
from treaty.personal_data import PersonalData
from treaty.projections import FIRST, Key, Page, View

from services.commerce.notifications.application.ports import Away, Letter, Outlet, Refused
from services.commerce.notifications.application.subscriptions import KINDS, Subscriptions
from services.commerce.notifications.domain.events import (
    NotificationEvent,
    NotificationScheduled,
)
from services.commerce.notifications.domain.notifications import Notification, Status
from services.commerce.notifications.domain.subscriptions import Address
from services.commerce.notifications.domain.values import Channel, QuietHours, Text
from services.commerce.notifications.projections import NotificationRow

STAFF = "@staff"
"""The customer id of notifications to the staff. No customer can have this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """A message to a customer. The `customer_id` of a guest is empty."""

    customer_id: str
    text: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyStaff:
    text: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    notification_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNotifications:
    """The notifications of one customer, or of all."""

    customer_id: str = ""
    page: Page = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifications:
    """The use cases of Notifications.

    A message becomes one notification for each channel that the customer wants. Each notification is a stream of its
    own. If no channel is wanted, the message becomes one suppressed notification. So every message is recorded, and a
    repeated message changes nothing.

    Sending is a call: it runs after the commit and is repeated until the receiver has answered. `staff_email` may be
    empty.
    """

    subscriptions: Subscriptions
    notifications: Repository[Notification]
    notification_rows: View[NotificationRow]
    personal_data: PersonalData
    outlets: Mapping[Channel, Outlet]
    clock: Clock
    staff_email: str

    async def get_notification(self, notification_id: str) -> Committed[Notification]:
        return await self.notifications.get(notification_id)

    async def list_notifications(self, query: ListNotifications) -> tuple[list[NotificationRow], Key | None]:
        """Returns a page of notifications, the latest first, and the key of the next page, or None at the end."""
        where = {"customer_id": query.customer_id} if query.customer_id else {}
        return await self.notification_rows.page(where, query.page)

    async def notify(self, command: Notify) -> None:
        """Schedules a message by every channel of a customer, or records why nobody receives it."""
        subscription = await self.subscriptions.find(command.customer_id)
        addresses = subscription.addresses_for(command.text.topic)
        if not addresses:
            why = "the topic is muted" if subscription.addresses else "there is no subscription"
            await self._suppress(command.customer_id, command.text, why)
            return
        quiet = subscription.quiet
        await asyncio.gather(
            *(self._schedule(command.customer_id, command.text, address, quiet) for address in addresses)
        )

    async def notify_staff(self, command: NotifyStaff) -> None:
        """Schedules an e-mail to the staff, or records that there is no address."""
        if not self.staff_email:
            await self._suppress(STAFF, command.text, "no address of the staff is configured")
            return
        ref = await self.personal_data.keep(STAFF, {KINDS[Channel.EMAIL]: self.staff_email})
        await self._schedule(STAFF, command.text, Address(channel=Channel.EMAIL, ref=ref), None)

    async def send(self, command: Send) -> None:
        """Sends a notification and records the result."""
        id = command.notification_id
        notification = (await self.notifications.get(id)).state
        channel, text = notification.channel, notification.text
        if notification.status is not Status.SCHEDULED or channel is None or text is None:
            return
        if not await self._is_wanted(notification.customer_id, channel):
            await self.notifications.change(
                id, lambda notification: notification.drop("the customer no longer uses this channel")
            )
            return
        kept = await self.personal_data.find(notification.ref)
        if kept is None:
            await self.notifications.change(id, lambda notification: notification.fail("the address was erased"))
            return
        letter = Letter(id=id, to=notification.customer_id, text=text)
        await self._hand_over(notification, channel, kept[KINDS[channel]], letter)

    async def _hand_over(self, notification: Notification, channel: Channel, address: str, letter: Letter) -> None:
        try:
            await self.outlets[channel].send(address, letter)
        except Refused as refusal:
            why = str(refusal)
            await self.notifications.change(notification.id, lambda notification: notification.fail(why))
        except Away as away:
            why, attempt = str(away), step(f"attempt {notification.attempts + 1}")
            await self.notifications.change(
                notification.id, lambda notification: notification.note_attempt(why), cause=attempt
            )
            raise
        else:
            now = self.clock.now()
            await self.notifications.change(notification.id, lambda notification: notification.sent(now))

    async def _is_wanted(self, customer_id: str, channel: Channel) -> bool:
        """Returns whether a customer still wants a channel. This may have changed after the message was scheduled."""
        return customer_id == STAFF or (await self.subscriptions.find(customer_id)).wants(channel)

    async def _schedule(self, customer_id: str, text: Text, address: Address, quiet: QuietHours | None) -> None:
        now = self.clock.now()
        due = quiet.end_after(now) if quiet is not None else None
        await self.notifications.add(
            notification_id(address.channel),
            lambda notification: notification.schedule(
                customer_id=customer_id, text=text, channel=address.channel, ref=address.ref, now=now, due=due
            ),
        )

    async def _suppress(self, customer_id: str, text: Text, why: str) -> None:
        now = self.clock.now()
        await self.notifications.add(
            notification_id("nobody"),
            lambda notification: notification.suppress(customer_id=customer_id, text=text, now=now, reason=why),
        )


def notification_id(channel: str) -> str:
    """Returns the id of the notification of the current message by a channel. A repeated message has the same id."""
    return hashlib.blake2s(f"{current_cause().id}/{channel}".encode(), digest_size=16).hexdigest()


def deliver(notification: Notification, event: NotificationEvent) -> Iterator[Call]:
    """Policy: sends a scheduled notification when it is due."""
    match event:
        case NotificationScheduled():
            yield Call(Send(notification_id=notification.id), due=event.due)
        case _:
            return
