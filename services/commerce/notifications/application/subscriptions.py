"""The use cases of subscriptions, with their commands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from treaty.commits import Committed, Repository
from treaty.domain import Call, NotFound
from treaty.personal_data import ERASED_AGAIN, PersonalData

from services.commerce.notifications.application.ports import Signatures
from services.commerce.notifications.domain.events import CustomerForgotten, SubscriptionEvent
from services.commerce.notifications.domain.subscriptions import Subscription
from services.commerce.notifications.domain.values import Channel, QuietHours, Topic

KINDS = {Channel.EMAIL: "email", Channel.SMS: "phone", Channel.WEBHOOK: "url"}
"""The name under which the address of each channel is stored in the personal data."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Subscribe:
    """`address` is personal data: it is stored beside the commit log, and `repr` hides it from logs."""

    customer_id: str
    channel: Channel
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe:
    customer_id: str
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class SetQuietHours:
    customer_id: str
    hours: QuietHours | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteTopics:
    customer_id: str
    topics: Sequence[Topic]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetCustomer:
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseAddresses:
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriptions:
    """The use cases of subscriptions: by which channels customers are written to, and on which topics."""

    subscriptions: Repository[Subscription]
    personal_data: PersonalData
    signatures: Signatures

    async def subscribe(self, command: Subscribe) -> tuple[Committed[Subscription], str]:
        """Adds a channel to a subscription, or changes the address of the channel.

        Returns the subscription and, for a webhook, the secret with which its messages are signed.
        """
        webhook = command.channel is Channel.WEBHOOK
        secret = self.signatures.secret(command.customer_id, command.address) if webhook else ""
        forgotten = (await self.find(command.customer_id)).forgotten
        address = {KINDS[command.channel]: command.address}
        ref = "" if forgotten else await self.personal_data.keep(command.customer_id, address)
        subscribed = await self.subscriptions.add(
            command.customer_id, lambda subscription: subscription.subscribe(command.channel, ref)
        )
        return subscribed, secret

    async def unsubscribe(self, command: Unsubscribe) -> Committed[Subscription]:
        """Removes a channel from a subscription."""
        return await self.subscriptions.change(
            command.customer_id, lambda subscription: subscription.unsubscribe(command.channel)
        )

    async def set_quiet_hours(self, command: SetQuietHours) -> Committed[Subscription]:
        """Sets or removes the hours during which messages to a customer are held back."""
        return await self.subscriptions.change(
            command.customer_id, lambda subscription: subscription.set_quiet_hours(command.hours)
        )

    async def mute_topics(self, command: MuteTopics) -> Committed[Subscription]:
        """Mutes exactly these topics; all others are unmuted."""
        return await self.subscriptions.change(
            command.customer_id, lambda subscription: subscription.mute(command.topics)
        )

    async def forget_customer(self, command: ForgetCustomer) -> Committed[Subscription]:
        """Records the erasure, also for a customer without a subscription, and then erases the addresses.

        A call that has read the subscription before may store an address afterwards, so they are erased once more a day
        later.
        """
        forgotten = await self.subscriptions.add(command.customer_id, Subscription.forget)
        await self.personal_data.erase(command.customer_id)
        return forgotten

    async def erase_addresses(self, command: EraseAddresses) -> None:
        await self.personal_data.erase(command.customer_id)

    async def get_subscription(self, customer_id: str) -> Committed[Subscription]:
        return await self.subscriptions.get(customer_id)

    async def find(self, customer_id: str) -> Subscription:
        """Returns the subscription of a customer, or a blank one."""
        try:
            return (await self.subscriptions.get(customer_id)).state
        except NotFound:
            return Subscription(id=customer_id)


def erase_again(subscription: Subscription, event: SubscriptionEvent) -> Iterator[Call]:
    """Policy: erases the addresses once more when nobody can be storing one any longer."""
    match event:
        case CustomerForgotten():
            yield Call(EraseAddresses(customer_id=subscription.id), after=ERASED_AGAIN)
        case _:
            return
