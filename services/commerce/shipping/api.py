"""The gRPC API of Shipping: translates requests, calls the use cases, translates their results."""

from datetime import datetime
from typing import Any

from commerce.shipping.v1 import shipping_service_pb2 as pb
from commerce.shipping.v1 import shipping_service_pb2_grpc as pb_grpc
from google.protobuf.timestamp_pb2 import Timestamp
from treaty.rpc import EnumTable, page_of, to_token

from services.commerce.shipping.application import CancelShipment, ListShipments, Shipping
from services.commerce.shipping.domain.shipments import Shipment
from services.commerce.shipping.domain.tracking import Status
from services.commerce.shipping.projections import ShipmentRow
from services.commerce.wire import time_to_wire

_STATUS = EnumTable(
    {
        Status.AWAITED: pb.SHIPMENT_STATUS_AWAITED,
        Status.CREATED: pb.SHIPMENT_STATUS_CREATED,
        Status.BOOKED: pb.SHIPMENT_STATUS_BOOKED,
        Status.IN_TRANSIT: pb.SHIPMENT_STATUS_IN_TRANSIT,
        Status.OUT_FOR_DELIVERY: pb.SHIPMENT_STATUS_OUT_FOR_DELIVERY,
        Status.EXCEPTION: pb.SHIPMENT_STATUS_EXCEPTION,
        Status.DELIVERED: pb.SHIPMENT_STATUS_DELIVERED,
        Status.FAILED: pb.SHIPMENT_STATUS_FAILED,
        Status.CANCELLED: pb.SHIPMENT_STATUS_CANCELLED,
    }
)


class ShippingApi(pb_grpc.ShippingServiceServicer):
    def __init__(self, shipping: Shipping) -> None:
        self._shipping = shipping

    async def CancelShipment(self, request: pb.CancelShipmentRequest, context: Any) -> pb.CancelShipmentResponse:
        command = CancelShipment(order_id=request.order_id.lower(), reason=request.reason)
        cancelled = await self._shipping.cancel_shipment(command)
        return pb.CancelShipmentResponse(shipment=_shipment(cancelled.state), revision=cancelled.revision)

    async def GetShipment(self, request: pb.GetShipmentRequest, context: Any) -> pb.GetShipmentResponse:
        found = await self._shipping.get_shipment(request.order_id.lower())
        return pb.GetShipmentResponse(shipment=_shipment(found.state), revision=found.revision)

    async def ListShipments(self, request: pb.ListShipmentsRequest, context: Any) -> pb.ListShipmentsResponse:
        rows, after = await self._shipping.list_shipments(
            ListShipments(status=_STATUS.find(request.status), page=page_of(request))
        )
        return pb.ListShipmentsResponse(shipments=[_summary(row) for row in rows], next_page_token=to_token(after))


def _shipment(shipment: Shipment) -> pb.Shipment:
    return pb.Shipment(
        order_id=shipment.id,
        customer_id=shipment.customer_id,
        status=_STATUS.to_wire(shipment.status),
        confirmed=shipment.confirmed,
        paid=shipment.paid,
        allocated=shipment.allocated,
        lines=[
            pb.ShippedLine(sku=line.sku, warehouse=line.warehouse, quantity=line.quantity) for line in shipment.lines
        ],
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        tracking=[
            pb.TrackingEvent(word=report.word, at=time_to_wire(report.at), place=report.place)
            for report in shipment.tracking
        ],
        created_at=_time(shipment.created_at),
        dispatched_at=_time(shipment.dispatched_at),
        delivered_at=_time(shipment.delivered_at),
        reason=shipment.reason,
        recall_refused=shipment.recall_refused,
    )


def _summary(row: ShipmentRow) -> pb.ShipmentSummary:
    return pb.ShipmentSummary(
        order_id=row.order_id,
        customer_id=row.customer_id,
        status=_STATUS.to_wire(row.status),
        created_at=time_to_wire(row.created_at),
        carrier=row.carrier,
        tracking_number=row.tracking_number,
        reason=row.reason,
    )


def _time(time: datetime | None) -> Timestamp | None:
    return None if time is None else time_to_wire(time)
