"""The gRPC servicer of Transfers."""

from typing import Any

from finance.transfers.v1 import transfers_service_pb2 as pb
from finance.transfers.v1 import transfers_service_pb2_grpc as pb_grpc
from treaty.rpc import page_of, to_token

from services.finance.transfers.api import messages
from services.finance.transfers.application import commands as c
from services.finance.transfers.application.files import Files
from services.finance.transfers.application.orders import Orders
from services.finance.transfers.application.transfers import Transfers
from services.finance.transfers.external.iso20022.messages import group_status, read_initiation, write_status


class TransfersApi(pb_grpc.TransfersServiceServicer):
    """The gRPC servicer."""

    def __init__(self, transfers: Transfers, orders: Orders, files: Files) -> None:
        self._transfers, self._orders, self._files = transfers, orders, files

    async def InitiateTransfer(self, request: pb.InitiateTransferRequest, context: Any) -> pb.InitiateTransferResponse:
        command = c.InitiateTransfer(
            transfer_id=request.transfer_id.lower(), terms=messages.terms_from_wire(request.terms)
        )
        done = await self._transfers.initiate(command)
        return pb.InitiateTransferResponse(transfer=messages.transfer_to_wire(done.state), revision=done.revision)

    async def ApproveTransfer(self, request: pb.ApproveTransferRequest, context: Any) -> pb.ApproveTransferResponse:
        done = await self._transfers.approve(c.ApproveTransfer(transfer_id=request.transfer_id.lower(), by=request.by))
        return pb.ApproveTransferResponse(transfer=messages.transfer_to_wire(done.state), revision=done.revision)

    async def CancelTransfer(self, request: pb.CancelTransferRequest, context: Any) -> pb.CancelTransferResponse:
        done = await self._transfers.cancel(
            c.CancelTransfer(transfer_id=request.transfer_id.lower(), by=request.by, reason=request.reason)
        )
        return pb.CancelTransferResponse(transfer=messages.transfer_to_wire(done.state), revision=done.revision)

    async def RefundTransfer(self, request: pb.RefundTransferRequest, context: Any) -> pb.RefundTransferResponse:
        done = await self._transfers.refund(
            c.RefundTransfer(transfer_id=request.transfer_id.lower(), by=request.by, reason=request.reason)
        )
        return pb.RefundTransferResponse(transfer=messages.transfer_to_wire(done.state), revision=done.revision)

    async def ResumeTransfer(self, request: pb.ResumeTransferRequest, context: Any) -> pb.ResumeTransferResponse:
        done = await self._transfers.resume(c.ResumeTransfer(transfer_id=request.transfer_id.lower()))
        return pb.ResumeTransferResponse(transfer=messages.transfer_to_wire(done.state), revision=done.revision)

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, context: Any) -> pb.PlaceOrderResponse:
        command = c.PlaceOrder(
            order_id=request.order_id.lower(),
            terms=messages.terms_from_wire(request.terms),
            schedule=messages.schedule_from_wire(request.schedule),
        )
        placed = await self._orders.place(command)
        return pb.PlaceOrderResponse(order=messages.order_to_wire(placed.state), revision=placed.revision)

    async def EndOrder(self, request: pb.EndOrderRequest, context: Any) -> pb.EndOrderResponse:
        command = c.EndOrder(order_id=request.order_id.lower(), by=request.by, reason=request.reason)
        ended = await self._orders.end(command)
        return pb.EndOrderResponse(order=messages.order_to_wire(ended.state), revision=ended.revision)

    async def SubmitFile(self, request: pb.SubmitFileRequest, context: Any) -> pb.SubmitFileResponse:
        read = read_initiation(request.xml)
        command = c.SubmitFile(
            message_id=read.message_id,
            customer_id=request.customer_id,
            initiated_by=request.initiated_by,
            instructions=read.instructions,
        )
        accepted = await self._files.submit(command)
        refused = sum(bool(line.code) for line in accepted.state.lines)
        return pb.SubmitFileResponse(
            file_id=accepted.state.id,
            accepted=len(accepted.state.lines) - refused,
            refused=refused,
            revision=accepted.revision,
        )

    async def GetFileStatus(self, request: pb.GetFileStatusRequest, context: Any) -> pb.GetFileStatusResponse:
        found, outcomes = await self._files.get(request.file_id.lower())
        file = found.state
        return pb.GetFileStatusResponse(
            xml=write_status(file.message_id, outcomes, file.id, self._files.clock.now()),
            status=group_status([one.status for one in outcomes]),
            lines=[messages.line_to_wire(one) for one in outcomes],
        )

    async def GetTransfer(self, request: pb.GetTransferRequest, context: Any) -> pb.GetTransferResponse:
        found = await self._transfers.get(request.transfer_id.lower())
        return pb.GetTransferResponse(transfer=messages.transfer_to_wire(found.state), revision=found.revision)

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.GetOrderResponse:
        found = await self._orders.get(request.order_id.lower())
        return pb.GetOrderResponse(order=messages.order_to_wire(found.state), revision=found.revision)

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:
        query = c.ListOrders(
            payer=request.payer,
            customer_id=request.customer_id,
            with_ended=request.with_ended,
            page=page_of(request),
        )
        rows, after = await self._orders.list_orders(query)
        return pb.ListOrdersResponse(
            orders=[messages.order_summary_to_wire(row) for row in rows], next_page_token=to_token(after)
        )

    async def ListTransfers(self, request: pb.ListTransfersRequest, context: Any) -> pb.ListTransfersResponse:
        query = c.ListTransfers(
            payer=request.payer,
            customer_id=request.customer_id,
            status=messages.STATUS.find(request.status),
            refund=messages.REFUNDS.find(request.refund) if request.refund else None,
            page=page_of(request),
        )
        rows, after = await self._transfers.list_transfers(query)
        return pb.ListTransfersResponse(
            transfers=[messages.summary_to_wire(row) for row in rows], next_page_token=to_token(after)
        )
