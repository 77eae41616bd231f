"""The subscription aggregate: the channels, the muted topics and the quiet hours of a customer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from treaty.domain import Aggregate, Rejected

from services.commerce.notifications.domain.events import (
    CustomerForgotten,
    QuietHoursSet,
    Subscribed,
    SubscriptionEvent,
    TopicsMuted,
    Unsubscribed,
)
from services.commerce.notifications.domain.values import Channel, QuietHours, Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A channel, and a reference to its address. `ref` finds the address until it is erased."""

    channel: Channel
    ref: str


@dataclass(slots=True, kw_only=True)
class Subscription(Aggregate[SubscriptionEvent]):
    """The subscription of one customer. Its id is the customer's. A command that changes nothing is not an error."""

    addresses: tuple[Address, ...] = ()
    quiet: QuietHours | None = None
    muted: tuple[Topic, ...] = ()
    forgotten: bool = False

    def subscribe(self, channel: Channel, ref: str) -> None:
        """Adds a channel, or changes the address of the channel. Nobody would erase an address that comes later."""
        if self.forgotten:
            raise Rejected(f"customer {self.id} was forgotten", reason="CUSTOMER_FORGOTTEN")
        if Address(channel=channel, ref=ref) not in self.addresses:
            self.record(Subscribed(channel=channel, ref=ref))

    def unsubscribe(self, channel: Channel) -> None:
        """Removes a channel."""
        if self.wants(channel):
            self.record(Unsubscribed(channel=channel))

    def set_quiet_hours(self, hours: QuietHours | None) -> None:
        """Sets the quiet hours, or removes them if `hours` is None."""
        if hours is not None:
            hours.check()
        if hours != self.quiet:
            self.record(QuietHoursSet(hours=hours))

    def mute(self, topics: Iterable[Topic]) -> None:
        """Mutes exactly these topics; all others are unmuted."""
        muted = tuple(sorted(set(topics)))
        if muted != self.muted:
            self.record(TopicsMuted(topics=muted))

    def forget(self) -> None:
        """Removes all channels for good, because the customer is to be forgotten."""
        if not self.forgotten:
            self.record(CustomerForgotten())

    def wants(self, channel: Channel) -> bool:
        return any(address.channel is channel for address in self.addresses)

    def addresses_for(self, topic: Topic) -> Sequence[Address]:
        """Returns the addresses for a message on a topic. A muted topic has none."""
        return () if topic in self.muted else self.addresses

    def evolve(self, event: SubscriptionEvent) -> None:
        match event:
            case Subscribed():
                kept = self._without(event.channel)
                self.addresses = tuple(sorted((*kept, Address(channel=event.channel, ref=event.ref)), key=_channel))
            case Unsubscribed():
                self.addresses = self._without(event.channel)
            case QuietHoursSet():
                self.quiet = event.hours
            case TopicsMuted():
                self.muted = event.topics
            case CustomerForgotten():
                self.addresses, self.forgotten = (), True

    def _without(self, channel: Channel) -> tuple[Address, ...]:
        return tuple(address for address in self.addresses if address.channel is not channel)


def _channel(address: Address) -> str:
    return address.channel
