"""Notifications as a test runs it: what its clients and the other contexts do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from commerce.money.v1.money_pb2 import Money
from commerce.notifications.v1 import notifications_service_pb2 as pb
from commerce.notifications.v1.notifications_service_pb2_grpc import NotificationsServiceStub
from commerce.ordering.v1 import ordering_events_pb2 as ordering
from treaty.clock import Clock
from treaty.messaging.envelope import Envelope
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT
from treaty.testing.world import SeededIds, World, embedded

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
ORDER = "11111111-2222-4333-8444-555555555555"
MAIL, PHONE = "ann@example.com", "+441134960000"


@dataclass(slots=True)
class Desk:
    """What clients of the running context do, and what others announce to it."""

    world: World
    ids: SeededIds = field(default_factory=lambda: SeededIds("requests"))

    async def ask(self, method: str, **values: Any) -> Any:
        """Makes a call that changes something, for the customer ann."""
        request = getattr(pb, f"{method}Request")(**{"request_id": self.ids.new(), "customer_id": "ann", **values})
        return await getattr(NotificationsServiceStub(self.world.channel), method)(request, timeout=TIMEOUT)

    async def read(self, method: str, **values: Any) -> Any:
        request = getattr(pb, f"{method}Request")(**values)
        return await getattr(NotificationsServiceStub(self.world.channel), method)(request, timeout=TIMEOUT)

    def tell(self, message: Any, id: str = "") -> str:
        """Announces something, as its context does; returns the id of the event."""
        id = id or self.ids.new()
        envelope = Envelope(
            id=id,
            type=message.DESCRIPTOR.full_name,
            source="/test",
            subject="s",
            time=NOON,
            partition_key="k",
            sequence="1",
            body=message.SerializeToString(),
        )
        self.world.broker.deliver("commerce.notifications", envelope)
        return id

    def place(self, customer_id: str = "ann", id: str = "") -> str:
        total = Money(minor_units=1250, currency="GBP")
        return self.tell(ordering.OrderPlaced(order_id=ORDER, customer_id=customer_id, total=total), id)

    async def listed(self, count: int, *, customer_id: str = "ann", waiting: int = 0) -> list[Any]:
        """Waits until so many notifications are listed, of which so many are still to be sent; returns them."""

        async def there() -> Any:
            page = await self.read("ListNotifications", customer_id=customer_id)
            found = list(page.notifications)
            scheduled = [one for one in found if one.status == pb.NOTIFICATION_STATUS_SCHEDULED]
            return found if len(found) == count and len(scheduled) == waiting else None

        listed: list[Any] = await eventually(there)
        return listed

    @property
    def mails(self) -> list[Any]:
        return self._sent(0)

    @property
    def texts(self) -> list[Any]:
        return self._sent(1)

    def _sent(self, outlet: int) -> list[Any]:
        box: Any = self.world.runner("commerce.notifications").service.resources[outlet]
        return list(box.sent)


@asynccontextmanager
async def running(clock: Clock | None = None, **environ: str) -> AsyncIterator[Desk]:
    async with embedded("commerce.notifications", environ=environ, clock=clock) as world:
        yield Desk(world)
