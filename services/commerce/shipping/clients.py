"""The adapter of the port to Ordering: reads the destinations of orders over gRPC."""

from commerce.ordering.v1 import ordering_events_pb2 as ordering_events
from commerce.ordering.v1 import ordering_service_pb2 as ordering
from commerce.ordering.v1.ordering_service_pb2_grpc import OrderingServiceStub
from treaty.domain import NotFound
from treaty.rpc import EnumTable, Peer

from services.commerce.shipping.application import Delivery, Method

_METHODS = EnumTable(
    {
        Method.STANDARD: ordering_events.SHIPPING_METHOD_STANDARD,
        Method.EXPRESS: ordering_events.SHIPPING_METHOD_EXPRESS,
        Method.OVERNIGHT: ordering_events.SHIPPING_METHOD_OVERNIGHT,
    }
)


class OrderingDeliveries:
    """Reads the destinations of orders from Ordering, over gRPC."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def find(self, order_id: str) -> Delivery | None:
        request = ordering.GetDeliveryRequest(order_id=order_id)
        try:
            told = await self._peer.ask(OrderingServiceStub, "GetDelivery", request)
        except NotFound:
            return None
        return delivery_from(told) if told.HasField("address") else None


def delivery_from(told: "ordering.GetDeliveryResponse") -> Delivery:
    """Returns the destination in Ordering's answer. An unknown method becomes the standard one."""
    address = told.address
    return Delivery(
        method=_METHODS.find(told.method) or Method.STANDARD,
        name=address.name,
        line1=address.line1,
        line2=address.line2,
        city=address.city,
        region=address.region,
        postal_code=address.postal_code,
        country=address.country,
    )
