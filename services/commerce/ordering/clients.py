"""The adapters of Ordering's ports: Shipping, Inventory and Payments over gRPC."""

from collections.abc import Sequence

from commerce.inventory.v1 import inventory_service_pb2 as inventory
from commerce.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from commerce.payments.v1 import payments_service_pb2 as payments
from commerce.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub
from commerce.shipping.v1 import shipping_service_pb2 as shipping
from commerce.shipping.v1.shipping_service_pb2_grpc import ShippingServiceStub
from treaty.rpc import Peer

from services.commerce.money import Money
from services.commerce.ordering.sagas.returns import ReturnedPieces
from services.commerce.wire import money_to_wire


class ShippingClient:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def stop(self, order_id: str, reason: str) -> None:
        request = shipping.CancelShipmentRequest(
            request_id=self._peer.request_id("stop"), order_id=order_id, reason=reason[:200]
        )
        await self._peer.ask(ShippingServiceStub, "CancelShipment", request)


class InventoryClient:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def take_back(self, order_id: str, return_id: str, pieces: Sequence[ReturnedPieces]) -> None:
        request = inventory.TakeBackRequest(
            request_id=self._peer.request_id("restock"),
            order_id=order_id,
            return_id=return_id,
            pieces=[inventory.ReturnedPieces(sku=one.sku, quantity=one.quantity) for one in pieces],
        )
        await self._peer.ask(InventoryServiceStub, "TakeBack", request)


class PaymentsClient:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def refund(self, order_id: str, refund_id: str, amount: Money) -> None:
        request = payments.RefundPaymentRequest(
            request_id=self._peer.request_id("refund"),
            order_id=order_id,
            refund_id=refund_id,
            amount=money_to_wire(amount),
        )
        await self._peer.ask(PaymentsServiceStub, "RefundPayment", request)
