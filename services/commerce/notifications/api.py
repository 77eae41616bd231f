"""The gRPC API of Notifications: translates requests, calls the use cases, translates their results."""

from datetime import datetime
from typing import Any

from commerce.notifications.v1 import notifications_service_pb2 as pb
from commerce.notifications.v1 import notifications_service_pb2_grpc as pb_grpc
from google.protobuf.timestamp_pb2 import Timestamp
from treaty.rpc import EnumTable, page_of, to_token

from services.commerce.notifications.application.notifications import ListNotifications, Notifications
from services.commerce.notifications.application.subscriptions import (
    ForgetCustomer,
    MuteTopics,
    SetQuietHours,
    Subscribe,
    Subscriptions,
    Unsubscribe,
)
from services.commerce.notifications.domain.notifications import Notification, Status
from services.commerce.notifications.domain.subscriptions import Subscription
from services.commerce.notifications.domain.values import Channel, QuietHours, Topic
from services.commerce.notifications.projections import NotificationRow
from services.commerce.wire import time_to_wire

_CHANNEL = EnumTable(
    {
        Channel.EMAIL: pb.CHANNEL_EMAIL,
        Channel.SMS: pb.CHANNEL_SMS,
        Channel.WEBHOOK: pb.CHANNEL_WEBHOOK,
    }
)
_TOPIC = EnumTable(
    {
        Topic.ACCOUNT: pb.TOPIC_ACCOUNT,
        Topic.ORDERS: pb.TOPIC_ORDERS,
        Topic.PAYMENTS: pb.TOPIC_PAYMENTS,
        Topic.DELIVERIES: pb.TOPIC_DELIVERIES,
        Topic.STOCK: pb.TOPIC_STOCK,
        Topic.CATALOG: pb.TOPIC_CATALOG,
    }
)
_STATUS = EnumTable(
    {
        Status.SCHEDULED: pb.NOTIFICATION_STATUS_SCHEDULED,
        Status.SENT: pb.NOTIFICATION_STATUS_SENT,
        Status.FAILED: pb.NOTIFICATION_STATUS_FAILED,
        Status.SUPPRESSED: pb.NOTIFICATION_STATUS_SUPPRESSED,
    }
)
_CHANNEL_OF_ADDRESS = {"email": Channel.EMAIL, "phone": Channel.SMS, "url": Channel.WEBHOOK}


class NotificationsApi(pb_grpc.NotificationsServiceServicer):
    """The gRPC servicer. No answer contains an address."""

    def __init__(self, subscriptions: Subscriptions, notifications: Notifications) -> None:
        self._subscriptions, self._notifications = subscriptions, notifications

    async def Subscribe(self, request: pb.SubscribeRequest, context: Any) -> pb.SubscribeResponse:
        kind = request.WhichOneof("address")
        assert kind is not None
        command = Subscribe(
            customer_id=request.customer_id, channel=_CHANNEL_OF_ADDRESS[kind], address=getattr(request, kind)
        )
        done, secret = await self._subscriptions.subscribe(command)
        return pb.SubscribeResponse(
            subscription=_subscription(done.state), revision=done.revision, signing_secret=secret
        )

    async def Unsubscribe(self, request: pb.UnsubscribeRequest, context: Any) -> pb.UnsubscribeResponse:
        channel = _CHANNEL.from_wire(request.channel, field="channel")
        done = await self._subscriptions.unsubscribe(Unsubscribe(customer_id=request.customer_id, channel=channel))
        return pb.UnsubscribeResponse(subscription=_subscription(done.state), revision=done.revision)

    async def SetQuietHours(self, request: pb.SetQuietHoursRequest, context: Any) -> pb.SetQuietHoursResponse:
        given = QuietHours(
            start=request.quiet_hours.start, end=request.quiet_hours.end, zone=request.quiet_hours.time_zone
        )
        hours = given if request.HasField("quiet_hours") else None
        done = await self._subscriptions.set_quiet_hours(SetQuietHours(customer_id=request.customer_id, hours=hours))
        return pb.SetQuietHoursResponse(subscription=_subscription(done.state), revision=done.revision)

    async def MuteTopics(self, request: pb.MuteTopicsRequest, context: Any) -> pb.MuteTopicsResponse:
        topics = [_TOPIC.from_wire(topic, field="topics") for topic in request.topics]
        done = await self._subscriptions.mute_topics(MuteTopics(customer_id=request.customer_id, topics=topics))
        return pb.MuteTopicsResponse(subscription=_subscription(done.state), revision=done.revision)

    async def ForgetCustomer(self, request: pb.ForgetCustomerRequest, context: Any) -> pb.ForgetCustomerResponse:
        done = await self._subscriptions.forget_customer(ForgetCustomer(customer_id=request.customer_id))
        return pb.ForgetCustomerResponse(subscription=_subscription(done.state), revision=done.revision)

    async def GetSubscription(self, request: pb.GetSubscriptionRequest, context: Any) -> pb.GetSubscriptionResponse:
        found = await self._subscriptions.get_subscription(request.customer_id)
        return pb.GetSubscriptionResponse(subscription=_subscription(found.state), revision=found.revision)

    async def GetNotification(self, request: pb.GetNotificationRequest, context: Any) -> pb.GetNotificationResponse:
        found = await self._notifications.get_notification(request.notification_id)
        return pb.GetNotificationResponse(notification=_notification(found.state), revision=found.revision)

    async def ListNotifications(
        self, request: pb.ListNotificationsRequest, context: Any
    ) -> pb.ListNotificationsResponse:
        rows, after = await self._notifications.list_notifications(
            ListNotifications(customer_id=request.customer_id, page=page_of(request))
        )
        return pb.ListNotificationsResponse(
            notifications=[_summary(row) for row in rows], next_page_token=to_token(after)
        )


def _subscription(subscription: Subscription) -> pb.Subscription:
    quiet = subscription.quiet
    return pb.Subscription(
        customer_id=subscription.id,
        channels=[_CHANNEL.to_wire(address.channel) for address in subscription.addresses],
        quiet_hours=None if quiet is None else _quiet_hours(quiet),
        muted_topics=[_TOPIC.to_wire(topic) for topic in subscription.muted],
    )


def _notification(notification: Notification) -> pb.Notification:
    assert notification.text is not None
    return pb.Notification(
        notification_id=notification.id,
        customer_id=notification.customer_id,
        topic=_TOPIC.to_wire(notification.text.topic),
        subject=notification.text.subject,
        text=notification.text.body,
        channel=_channel(notification.channel),
        status=_STATUS.to_wire(notification.status),
        created_at=_time(notification.created_at),
        due_at=_time(notification.due),
        sent_at=_time(notification.sent_at),
        failed_attempts=notification.attempts,
        reason=notification.reason,
    )


def _summary(row: NotificationRow) -> pb.NotificationSummary:
    return pb.NotificationSummary(
        notification_id=row.notification_id,
        customer_id=row.customer_id,
        topic=_TOPIC.to_wire(row.topic),
        subject=row.subject,
        channel=_channel(row.channel),
        status=_STATUS.to_wire(row.status),
        created_at=time_to_wire(row.created_at),
        due_at=_time(row.due),
        sent_at=_time(row.sent_at),
        failed_attempts=row.attempts,
        reason=row.reason,
    )


def _quiet_hours(hours: QuietHours) -> pb.QuietHours:
    return pb.QuietHours(start=hours.start, end=hours.end, time_zone=hours.zone)


def _channel(channel: Channel | None) -> "pb.Channel.ValueType":
    return pb.CHANNEL_UNSPECIFIED if channel is None else _CHANNEL.to_wire(channel)


def _time(time: datetime | None) -> Timestamp | None:
    return None if time is None else time_to_wire(time)
