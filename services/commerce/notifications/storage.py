"""The stored names of Notifications' aggregates, events, calls and read models.

A name here never changes. If the fields of an event or call change, its shape gets an upcast.
"""

from treaty.commits import Names, Shape, Stored
from treaty.projections import Projection

from services.commerce.notifications.application.notifications import Send
from services.commerce.notifications.application.subscriptions import EraseAddresses
from services.commerce.notifications.domain import events, notifications, subscriptions
from services.commerce.notifications.projections import NotificationRow, notification_summary

SUBSCRIPTIONS = Stored(
    "subscription",
    subscriptions.Subscription,
    events=[
        Shape("subscribed", events.Subscribed),
        Shape("unsubscribed", events.Unsubscribed),
        Shape("quiet-hours-set", events.QuietHoursSet),
        Shape("topics-muted", events.TopicsMuted),
        Shape("customer-forgotten", events.CustomerForgotten),
    ],
)

NOTIFICATIONS = Stored(
    "notification",
    notifications.Notification,
    events=[
        Shape("notification-scheduled", events.NotificationScheduled),
        Shape("notification-suppressed", events.NotificationSuppressed),
        Shape("attempt-failed", events.AttemptFailed),
        Shape("notification-sent", events.NotificationSent),
        Shape("notification-failed", events.NotificationFailed),
        Shape("notification-dropped", events.NotificationDropped),
    ],
)

COMMANDS = Names([Shape("send", Send), Shape("erase-addresses", EraseAddresses)])

NOTIFICATION_SUMMARY = Projection(
    name="notification_summary",
    source=NOTIFICATIONS,
    row=NotificationRow,
    project=notification_summary,
    order_by="created_at",
    filters=("customer_id",),
)
