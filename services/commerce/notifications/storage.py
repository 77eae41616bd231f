"""The stored names of Notifications' aggregates, events, calls and read models.

A name here never changes. If the fields of an event or call change, its shape gets an upcast.
"""

from treaty.commits import Names, Shape, Stored
from treaty.projections import Projection

from services.commerce.notifications import application
from services.commerce.notifications.domain import notifications, subscriptions
from services.commerce.notifications.projections import NotificationRow, notification_summary

SUBSCRIPTIONS = Stored(
    "subscription",
    subscriptions.Subscription,
    events=[
        Shape("subscribed", subscriptions.Subscribed),
        Shape("unsubscribed", subscriptions.Unsubscribed),
        Shape("quiet-hours-set", subscriptions.QuietHoursSet),
        Shape("topics-muted", subscriptions.TopicsMuted),
        Shape("customer-forgotten", subscriptions.CustomerForgotten),
    ],
)

NOTIFICATIONS = Stored(
    "notification",
    notifications.Notification,
    events=[
        Shape("notification-scheduled", notifications.NotificationScheduled),
        Shape("notification-suppressed", notifications.NotificationSuppressed),
        Shape("attempt-failed", notifications.AttemptFailed),
        Shape("notification-sent", notifications.NotificationSent),
        Shape("notification-failed", notifications.NotificationFailed),
        Shape("notification-dropped", notifications.NotificationDropped),
    ],
)

COMMANDS = Names([Shape("send", application.Send)])

NOTIFICATION_SUMMARY = Projection(
    name="notification_summary",
    source=NOTIFICATIONS,
    row=NotificationRow,
    project=notification_summary,
    order_by="created_at",
    filters=("customer_id",),
)
