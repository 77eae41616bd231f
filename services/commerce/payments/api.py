"""Payments over gRPC: translate, call, translate."""

from typing import Any

from commerce.payments.v1 import payments_service_pb2 as pb
from commerce.payments.v1 import payments_service_pb2_grpc as pb_grpc
from treaty.domain import NotFound
from treaty.service import Api

from services.commerce.payments.application import Payments
from services.commerce.payments.domain import Payment, Status
from services.commerce.wire import money_to_wire

_STATUS = {
    Status.REQUESTED: pb.PAYMENT_STATUS_REQUESTED,
    Status.AUTHORISED: pb.PAYMENT_STATUS_AUTHORISED,
    Status.CAPTURING: pb.PAYMENT_STATUS_AUTHORISED,
    Status.VOIDING: pb.PAYMENT_STATUS_AUTHORISED,
    Status.FAILED: pb.PAYMENT_STATUS_FAILED,
    Status.CAPTURED: pb.PAYMENT_STATUS_CAPTURED,
    Status.REFUNDING: pb.PAYMENT_STATUS_CAPTURED,
    Status.VOIDED: pb.PAYMENT_STATUS_VOIDED,
    Status.REFUNDED: pb.PAYMENT_STATUS_REFUNDED,
}


class PaymentsApi(pb_grpc.PaymentsServiceServicer):
    """The servicer."""

    def __init__(self, payments: Payments) -> None:
        self._payments = payments

    async def GetPayment(self, request: pb.GetPaymentRequest, context: Any) -> pb.GetPaymentResponse:
        found = await self._payments.get_payment(request.order_id.lower())
        return pb.GetPaymentResponse(payment=_payment(found.state), revision=found.revision)


def api(payments: Payments) -> Api:
    """Returns Payments' gRPC service."""
    add = pb_grpc.add_PaymentsServiceServicer_to_server
    return Api(add, PaymentsApi(payments), pb.DESCRIPTOR.services_by_name["PaymentsService"].full_name)


def _payment(payment: Payment) -> pb.Payment:
    if payment.amount is None:
        raise NotFound(f"order {payment.id} was cancelled before a payment was asked for")
    return pb.Payment(
        order_id=payment.id,
        amount=money_to_wire(payment.amount),
        status=_STATUS[payment.status],
        reason=payment.reason,
    )
