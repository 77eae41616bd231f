"""Shipping as a test runs it: an Ordering that answers as it is told, and what clients and the other contexts do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
from commerce.inventory.v1 import inventory_events_pb2 as inventory
from commerce.ordering.v1 import ordering_events_pb2 as ordering_events
from commerce.ordering.v1 import ordering_service_pb2 as ordering
from commerce.ordering.v1 import ordering_service_pb2_grpc as ordering_grpc
from commerce.payments.v1 import payments_events_pb2 as payments
from commerce.shipping.v1 import shipping_service_pb2 as pb
from commerce.shipping.v1.shipping_service_pb2_grpc import ShippingServiceStub
from treaty.messaging.envelope import Envelope
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT
from treaty.testing.world import SeededIds, World, embedded

from services.commerce.shipping.external.carrier.simulator import Simulator

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
SECRET = "a secret of the carrier"
ORDER = "11111111-2222-4333-8444-555555555555"
OTHER = "22222222-2222-4333-8444-555555555555"


class Ordering(ordering_grpc.OrderingServiceServicer):
    """Tells where orders go: by the end of the postal code, the simulated carrier misbehaves."""

    def __init__(self) -> None:
        self.ends: dict[str, str] = {}
        self.away = 0

    async def GetDelivery(self, request: Any, context: Any) -> Any:
        if self.away:
            self.away -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        end = self.ends.get(request.order_id, "1AA")
        if end == "erased":
            await context.abort(grpc.StatusCode.NOT_FOUND, "the address was erased")
        address = ordering.Address(name="Ann", line1="1 High Street", city="Leeds", postal_code=end, country="GB")
        return ordering.GetDeliveryResponse(
            order_id=request.order_id, address=None if end == "none" else address, customer_id="ann"
        )


@dataclass(slots=True)
class Dispatch:
    """What clients of the running context do, and what others announce to it."""

    world: World
    ordering: Ordering
    ids: SeededIds = field(default_factory=lambda: SeededIds("requests"))

    @property
    def shipping(self) -> Any:
        return ShippingServiceStub(self.world.channel)

    @property
    def carrier(self) -> Simulator:
        simulator: Simulator = self.world.resource("commerce.shipping").simulator
        return simulator

    def tell(self, message: Any) -> None:
        """Announces something of an order, as its context does."""
        id = self.ids.new()
        envelope = Envelope(
            id=id,
            type=message.DESCRIPTOR.full_name,
            source="/test",
            subject=message.order_id,
            time=NOW,
            partition_key=message.order_id,
            sequence="1",
            body=message.SerializeToString(),
        )
        self.world.broker.deliver("commerce.shipping", envelope)

    def ready(self, order_id: str = ORDER) -> None:
        """Announces all that a shipment waits for."""
        line = inventory.AllocatedLine(sku="tea", warehouse="main", quantity=2)
        self.tell(payments.PaymentReceived(order_id=order_id))
        self.tell(inventory.StockAllocated(order_id=order_id, lines=[line]))
        self.tell(ordering_events.OrderConfirmed(order_id=order_id, customer_id="ann"))

    async def get(self, order_id: str = ORDER) -> Any:
        found = await self.shipping.GetShipment(pb.GetShipmentRequest(order_id=order_id), timeout=TIMEOUT)
        return found.shipment

    async def comes_to(self, status: int, order_id: str = ORDER) -> Any:
        """Waits until a shipment has the status, and returns it."""

        async def there() -> bool:
            try:
                return bool((await self.get(order_id)).status == status)
            except grpc.aio.AioRpcError:
                return False

        await eventually(there)
        return await self.get(order_id)

    async def cancel(self, order_id: str = ORDER, request_id: str = "") -> Any:
        request = pb.CancelShipmentRequest(
            request_id=request_id or self.ids.new(), order_id=order_id, reason="changed my mind"
        )
        return await self.shipping.CancelShipment(request, timeout=TIMEOUT)

    async def page(self, **values: Any) -> Any:
        return await self.shipping.ListShipments(pb.ListShipmentsRequest(**values), timeout=TIMEOUT)

    def announced(self, order_id: str = ORDER) -> list[str]:
        """Returns what is announced of a shipment, in order."""
        told = self.world.broker.published
        return [one.type.rpartition(".")[2] for one in told if one.partition_key.endswith(order_id)]

    async def settled(self) -> None:
        await eventually(self.world.is_settled)


@asynccontextmanager
async def running(**environ: str) -> AsyncIterator[Dispatch]:
    server = grpc.aio.server()
    orders = Ordering()  # type: ignore[abstract]  # nothing else is asked
    ordering_grpc.add_OrderingServiceServicer_to_server(orders, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    told = {
        "TREATY_PEERS": f"commerce.ordering=127.0.0.1:{port}",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
        "SHIPPING_CARRIER_SECRET": SECRET,
        "SHIPPING_CARRIER_PACE": "0.002",
        **environ,
    }
    try:
        async with embedded("commerce.shipping", environ=told) as world:
            yield Dispatch(world, orders)
    finally:
        await server.stop(0)


DELIVERED = ["ShipmentCreated", "ShipmentDispatched", "DeliveryConfirmed"]
FAILED = ["ShipmentCreated", "ShipmentDispatched", "ParcelDelayed", "DeliveryFailed"]
DELAYED = ["ShipmentCreated", "ShipmentDispatched", "ParcelDelayed", "DeliveryConfirmed"]
