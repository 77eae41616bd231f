"""The notification aggregate: one message to one receiver by one channel, until it is sent or given up."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from treaty.domain import Aggregate

from services.commerce.notifications.domain.events import (
    AttemptFailed,
    NotificationDropped,
    NotificationEvent,
    NotificationFailed,
    NotificationScheduled,
    NotificationSent,
    NotificationSuppressed,
)
from services.commerce.notifications.domain.values import Channel, Text

COUNTED = 10
"""The number of failed attempts that are recorded. Later attempts are made, but not recorded."""


class Status(StrEnum):
    NEW = "new"
    SCHEDULED = "scheduled"
    SENT = "sent"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


@dataclass(slots=True, kw_only=True)
class Notification(Aggregate[NotificationEvent]):
    """One message by one channel. A suppressed one has no channel. Receivers recognise repeats by the id."""

    status: Status = Status.NEW
    customer_id: str = ""
    text: Text | None = None
    channel: Channel | None = None
    ref: str = ""
    created_at: datetime | None = None
    due: datetime | None = None
    attempts: int = 0
    reason: str = ""
    sent_at: datetime | None = None

    def schedule(
        self, *, customer_id: str, text: Text, channel: Channel, ref: str, now: datetime, due: datetime | None
    ) -> None:
        """Records that the message must be sent, at `due` or, if that is None, at once."""
        if self.status is Status.NEW:
            self.record(
                NotificationScheduled(
                    customer_id=customer_id, text=text, channel=channel, ref=ref, created_at=now, due=due
                )
            )

    def suppress(self, *, customer_id: str, text: Text, now: datetime, reason: str) -> None:
        """Records that the message is sent to nobody."""
        if self.status is Status.NEW:
            self.record(NotificationSuppressed(customer_id=customer_id, text=text, created_at=now, reason=reason))

    def note_attempt(self, reason: str) -> None:
        """Records a failed attempt. The message is tried again."""
        if self.status is Status.SCHEDULED and self.attempts < COUNTED:
            self.record(AttemptFailed(reason=reason))

    def sent(self, now: datetime) -> None:
        if self.status is Status.SCHEDULED:
            self.record(NotificationSent(at=now))

    def fail(self, reason: str) -> None:
        """Records that the message can never be sent."""
        if self.status is Status.SCHEDULED:
            self.record(NotificationFailed(reason=reason))

    def drop(self, reason: str) -> None:
        """Records that the message is no longer wanted."""
        if self.status is Status.SCHEDULED:
            self.record(NotificationDropped(reason=reason))

    def evolve(self, event: NotificationEvent) -> None:
        match event:
            case NotificationScheduled():
                self.status, self.due = Status.SCHEDULED, event.due
                self.channel, self.ref = event.channel, event.ref
                self.customer_id, self.text, self.created_at = event.customer_id, event.text, event.created_at
            case NotificationSuppressed():
                self.status, self.reason = Status.SUPPRESSED, event.reason
                self.customer_id, self.text, self.created_at = event.customer_id, event.text, event.created_at
            case AttemptFailed():
                self.attempts, self.reason = self.attempts + 1, event.reason
            case NotificationSent():
                self.status, self.sent_at, self.reason = Status.SENT, event.at, ""
            case NotificationFailed():
                self.status, self.reason = Status.FAILED, event.reason
            case NotificationDropped():
                self.status, self.reason = Status.SUPPRESSED, event.reason
