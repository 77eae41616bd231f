"""The gRPC API of Fraud: translates requests, calls the use cases, translates their results."""

from typing import Any

from finance.fraud.v1 import fraud_service_pb2 as pb
from finance.fraud.v1 import fraud_service_pb2_grpc as pb_grpc
from treaty.rpc import EnumTable, page_of, to_token

from services.finance.fraud.application import DecideCase, ExportDecisions, Fraud, ListCases, ScreenTransfer
from services.finance.fraud.domain.case import Case, Status
from services.finance.fraud.domain.rules import Decision, Transfer, Verdict
from services.finance.fraud.projections import CaseRow
from services.finance.wire import money_from_wire, money_to_wire, time_from_wire, time_to_wire

_DECISIONS = EnumTable(
    {Decision.ACCEPT: pb.DECISION_ACCEPT, Decision.REVIEW: pb.DECISION_REVIEW, Decision.BLOCK: pb.DECISION_BLOCK}
)
_STATUS = EnumTable(
    {
        Status.OPEN: pb.CASE_STATUS_OPEN,
        Status.FRAUD: pb.CASE_STATUS_FRAUD,
        Status.CLEARED: pb.CASE_STATUS_CLEARED,
        Status.CLOSED: pb.CASE_STATUS_CLOSED,
    }
)


class FraudApi(pb_grpc.FraudServiceServicer):
    """The gRPC servicer."""

    def __init__(self, fraud: Fraud) -> None:
        self._fraud = fraud

    async def ScreenTransfer(self, request: pb.ScreenTransferRequest, context: Any) -> pb.ScreenTransferResponse:
        transfer = Transfer(
            transfer_id=request.transfer_id,
            payee=request.payee,
            amount=money_from_wire(request.amount),
            at=time_from_wire(request.initiated_at),
            batch=request.batch,
        )
        screened = await self._fraud.screen_transfer(ScreenTransfer(payer=request.payer, transfer=transfer))
        assert screened.state.verdict is not None
        return pb.ScreenTransferResponse(verdict=_verdict(screened.state.verdict), revision=screened.revision)

    async def DecideCase(self, request: pb.DecideCaseRequest, context: Any) -> pb.DecideCaseResponse:
        command = DecideCase(transfer_id=request.transfer_id, fraud=request.fraud, by=request.by, note=request.note)
        decided = await self._fraud.decide_case(command)
        return pb.DecideCaseResponse(case=_case(decided.state), revision=decided.revision)

    async def GetCase(self, request: pb.GetCaseRequest, context: Any) -> pb.GetCaseResponse:
        found = await self._fraud.get_case(request.transfer_id)
        return pb.GetCaseResponse(case=_case(found.state), revision=found.revision)

    async def ListCases(self, request: pb.ListCasesRequest, context: Any) -> pb.ListCasesResponse:
        query = ListCases(status=_STATUS.find(request.status), page=page_of(request))
        rows, after = await self._fraud.list_cases(query)
        return pb.ListCasesResponse(cases=[_summary(row) for row in rows], next_page_token=to_token(after))

    async def ExportDecisions(self, request: pb.ExportDecisionsRequest, context: Any) -> pb.ExportDecisionsResponse:
        query = ExportDecisions(fraud=request.fraud, page=page_of(request))
        text, after = await self._fraud.export_decisions(query)
        return pb.ExportDecisionsResponse(csv=text, next_page_token=to_token(after))


def _verdict(verdict: Verdict) -> pb.Verdict:
    return pb.Verdict(
        transfer_id=verdict.transfer_id,
        decision=_DECISIONS.to_wire(verdict.decision),
        points=verdict.points,
        reasons=[pb.Reason(rule=one.rule, points=one.points, text=one.text) for one in verdict.reasons],
    )


def _case(case: Case) -> pb.Case:
    assert case.transfer is not None
    assert case.verdict is not None
    return pb.Case(
        transfer_id=case.id,
        status=_STATUS.to_wire(case.status),
        payer=case.payer,
        payee=case.transfer.payee,
        amount=money_to_wire(case.transfer.amount),
        verdict=_verdict(case.verdict),
        decided_by=case.decided_by,
        note=case.note,
        code=case.code,
    )


def _summary(row: CaseRow) -> pb.CaseSummary:
    return pb.CaseSummary(
        transfer_id=row.transfer_id,
        status=_STATUS.to_wire(row.status),
        payer=row.payer,
        payee=row.payee,
        amount=money_to_wire(row.amount),
        decision=_DECISIONS.to_wire(row.decision),
        points=row.points,
        decided_by=row.decided_by,
        opened_at=time_to_wire(row.opened_at),
    )
