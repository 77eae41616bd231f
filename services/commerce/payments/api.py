"""The gRPC API of Payments: translates requests, calls the use cases, translates their results."""

from typing import Any

from commerce.payments.v1 import payments_service_pb2 as pb
from commerce.payments.v1 import payments_service_pb2_grpc as pb_grpc
from treaty.domain import NotFound
from treaty.rpc import EnumTable

from services.commerce.payments.application import Payments, RefundPayment, RegisterMethod
from services.commerce.payments.domain.payment import Kind, Payment, Status
from services.commerce.wire import money_from_wire, money_to_wire, time_from_wire

_STATUS = EnumTable(
    {
        Status.REQUESTED: pb.PAYMENT_STATUS_REQUESTED,
        Status.AUTHORISED: pb.PAYMENT_STATUS_AUTHORISED,
        Status.CAPTURING: pb.PAYMENT_STATUS_AUTHORISED,
        Status.VOIDING: pb.PAYMENT_STATUS_AUTHORISED,
        Status.FAILED: pb.PAYMENT_STATUS_FAILED,
        Status.CAPTURED: pb.PAYMENT_STATUS_CAPTURED,
        Status.VOIDED: pb.PAYMENT_STATUS_VOIDED,
        Status.VOID_REFUSED: pb.PAYMENT_STATUS_VOID_REFUSED,
        Status.REFUNDED: pb.PAYMENT_STATUS_REFUNDED,
    }
)

_KIND = EnumTable(
    {
        Kind.AUTHORISATION: pb.TRANSACTION_KIND_AUTHORISATION,
        Kind.CAPTURE: pb.TRANSACTION_KIND_CAPTURE,
        Kind.VOID: pb.TRANSACTION_KIND_VOID,
        Kind.REFUND: pb.TRANSACTION_KIND_REFUND,
    }
)


class PaymentsApi(pb_grpc.PaymentsServiceServicer):
    def __init__(self, payments: Payments) -> None:
        self._payments = payments

    async def RefundPayment(self, request: pb.RefundPaymentRequest, context: Any) -> pb.RefundPaymentResponse:
        command = RefundPayment(
            order_id=request.order_id.lower(),
            refund_id=request.refund_id.lower(),
            amount=money_from_wire(request.amount),
        )
        refunding = await self._payments.refund_payment(command)
        return pb.RefundPaymentResponse(payment=_payment(refunding.state), revision=refunding.revision)

    async def RegisterMethod(self, request: pb.RegisterMethodRequest, context: Any) -> pb.RegisterMethodResponse:
        command = RegisterMethod(
            customer_id=request.customer_id,
            token=request.token,
            label=request.label,
            expires_at=time_from_wire(request.expires_at) if request.HasField("expires_at") else None,
        )
        return pb.RegisterMethodResponse(revision=(await self._payments.register_method(command)).revision)

    async def GetPayment(self, request: pb.GetPaymentRequest, context: Any) -> pb.GetPaymentResponse:
        found = await self._payments.get_payment(request.order_id.lower())
        return pb.GetPaymentResponse(payment=_payment(found.state), revision=found.revision)


def _payment(payment: Payment) -> pb.Payment:
    if payment.amount is None or payment.given_back is None:
        raise NotFound(f"order {payment.id} was cancelled before a payment was requested")
    return pb.Payment(
        order_id=payment.id,
        amount=money_to_wire(payment.amount),
        status=_STATUS.to_wire(payment.status),
        reason=payment.reason,
        transactions=[
            pb.Transaction(kind=_KIND.to_wire(one.kind), amount=money_to_wire(one.amount), refund_id=one.refund_id)
            for one in payment.transactions
        ],
        refunded=money_to_wire(payment.given_back),
        method=payment.label,
        refused_refunds=[
            pb.RefusedRefund(refund_id=one.refund_id, amount=money_to_wire(one.amount), reason=one.refused)
            for one in payment.refunds
            if one.refused
        ],
    )
