"""The domain events of Notifications."""

from dataclasses import dataclass
from datetime import datetime

from services.commerce.notifications.domain.values import Channel, QuietHours, Text, Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationScheduled:
    customer_id: str
    text: Text
    channel: Channel
    ref: str
    created_at: datetime
    due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSuppressed:
    customer_id: str
    text: Text
    created_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSent:
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationFailed:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationDropped:
    """The notification is no longer wanted."""

    reason: str


NotificationEvent = (
    NotificationScheduled
    | NotificationSuppressed
    | AttemptFailed
    | NotificationSent
    | NotificationFailed
    | NotificationDropped
)


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
