"""The subscription aggregate: the channels, the muted topics and the quiet hours of a customer."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from treaty.domain import Aggregate, Invalid

_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"


class Topic(StrEnum):
    ACCOUNT = "account"
    ORDERS = "orders"
    PAYMENTS = "payments"
    DELIVERIES = "deliveries"
    STOCK = "stock"
    CATALOG = "catalog"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From one time of day to another, "HH:MM" in a time zone. Midnight may be between them."""

    start: str
    end: str
    zone: str

    def check(self) -> None:
        """Raises Invalid unless the times and the time zone are valid."""
        for field, time in (("start", self.start), ("end", self.end)):
            if not _TIME.fullmatch(time):
                raise Invalid(f"{time!r} is not a time of day such as 22:30", field=field)
        if self.start == self.end:
            raise Invalid("quiet hours must not start and end at the same time", field="end")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise Invalid(f"{self.zone!r} is not a time zone such as Europe/London", field="time_zone") from None

    def end_after(self, now: datetime) -> datetime | None:
        """Returns the end of the quiet hours, or None if `now` is outside of them."""
        local = now.astimezone(ZoneInfo(self.zone))
        if not self._hold(f"{local:%H:%M}"):
            return None
        hour, minute = map(int, self.end.split(":"))
        end = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
        if end <= local:
            end += timedelta(days=1)
        return end.astimezone(UTC)

    def _hold(self, time: str) -> bool:
        if self.start < self.end:
            return self.start <= time < self.end
        return time >= self.start or time < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A channel, and a reference to its address. `ref` finds the address until it is erased."""

    channel: Channel
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    channel: Channel
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribed:
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHoursSet:
    hours: QuietHours | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicsMuted:
    topics: tuple[Topic, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerForgotten:
    pass


SubscriptionEvent = Subscribed | Unsubscribed | QuietHoursSet | TopicsMuted | CustomerForgotten


@dataclass(slots=True, kw_only=True)
class Subscription(Aggregate[SubscriptionEvent]):
    """The subscription of one customer. Its id is the customer's. A command that changes nothing is not an error."""

    addresses: tuple[Address, ...] = ()
    quiet: QuietHours | None = None
    muted: tuple[Topic, ...] = ()

    def subscribe(self, channel: Channel, ref: str) -> None:
        """Adds a channel, or changes the address of the channel."""
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
        """Removes all channels, because the customer is to be forgotten."""
        if self.addresses:
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
                self.addresses = ()

    def _without(self, channel: Channel) -> tuple[Address, ...]:
        return tuple(address for address in self.addresses if address.channel is not channel)


def _channel(address: Address) -> str:
    return address.channel
