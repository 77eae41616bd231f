"""The read model of Notifications: notifications by customer."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.commerce.notifications.domain.events import (
    AttemptFailed,
    NotificationDropped,
    NotificationEvent,
    NotificationFailed,
    NotificationScheduled,
    NotificationSent,
    NotificationSuppressed,
)
from services.commerce.notifications.domain.notifications import Status
from services.commerce.notifications.domain.values import Channel, Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRow:
    """A notification in a list."""

    notification_id: str
    customer_id: str
    topic: Topic
    subject: str
    status: Status
    created_at: datetime
    channel: Channel | None = None
    due: datetime | None = None
    sent_at: datetime | None = None
    attempts: int = 0
    reason: str = ""


def notification_summary(id: str, row: NotificationRow | None, event: NotificationEvent) -> NotificationRow | None:
    """Projects an event of a notification onto its row."""
    match event:
        case NotificationScheduled():
            return replace(_new(id, event, Status.SCHEDULED), channel=event.channel, due=event.due)
        case NotificationSuppressed():
            return replace(_new(id, event, Status.SUPPRESSED), reason=event.reason)
        case AttemptFailed():
            return row and replace(row, attempts=row.attempts + 1, reason=event.reason)
        case NotificationSent():
            return row and replace(row, status=Status.SENT, sent_at=event.at, reason="")
        case NotificationFailed():
            return row and replace(row, status=Status.FAILED, reason=event.reason)
        case NotificationDropped():
            return row and replace(row, status=Status.SUPPRESSED, reason=event.reason)


def _new(id: str, event: NotificationScheduled | NotificationSuppressed, status: Status) -> NotificationRow:
    return NotificationRow(
        notification_id=id,
        customer_id=event.customer_id,
        topic=event.text.topic,
        subject=event.text.subject,
        status=status,
        created_at=event.created_at,
    )
