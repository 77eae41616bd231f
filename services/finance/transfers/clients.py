"""The adapters of Transfers' ports: Accounts and Fraud over gRPC, and the calendar of banking days."""

from datetime import date, datetime, timedelta

import holidays
from finance.accounts.v1 import accounts_service_pb2 as accounts
from finance.accounts.v1.accounts_service_pb2_grpc import AccountsServiceStub
from finance.fraud.v1 import fraud_service_pb2 as fraud
from finance.fraud.v1.fraud_service_pb2_grpc import FraudServiceStub
from google.protobuf.duration_pb2 import Duration
from treaty.rpc import EnumTable, Peer

from services.finance.money import Money
from services.finance.transfers.application.ports import Verdict
from services.finance.transfers.domain.events import Terms
from services.finance.transfers.domain.statuses import Decision
from services.finance.wire import money_to_wire, time_to_wire

_DECISIONS = EnumTable(
    {
        Decision.ACCEPT: fraud.DECISION_ACCEPT,
        Decision.REVIEW: fraud.DECISION_REVIEW,
        Decision.BLOCK: fraud.DECISION_BLOCK,
    }
)


class AccountsClient:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def reserve(self, request_id: str, account: str, amount: Money, lasts: timedelta) -> str:
        duration = Duration()
        duration.FromTimedelta(lasts)
        request = accounts.ReserveRequest(
            request_id=request_id, account_id=account, amount=money_to_wire(amount), lasts=duration
        )
        answer = await self._peer.ask(AccountsServiceStub, "Reserve", request)
        return str(answer.hold_id)

    async def capture(self, request_id: str, account: str, hold_id: str, amount: Money, transfer_id: str) -> str:
        request = accounts.CaptureRequest(
            request_id=request_id,
            account_id=account,
            hold_id=hold_id,
            amount=money_to_wire(amount),
            reference=transfer_id,
        )
        return str((await self._peer.ask(AccountsServiceStub, "Capture", request)).posting_id)

    async def release(self, request_id: str, account: str, hold_id: str) -> None:
        request = accounts.ReleaseRequest(request_id=request_id, account_id=account, hold_id=hold_id)
        await self._peer.ask(AccountsServiceStub, "Release", request)

    async def credit(self, request_id: str, account: str, amount: Money, transfer_id: str) -> str:
        return await self._credit(request_id, account, amount, accounts.PURPOSE_TRANSFER_IN, transfer_id)

    async def give_back(self, request_id: str, account: str, amount: Money, transfer_id: str) -> str:
        return await self._credit(request_id, account, amount, accounts.PURPOSE_RETURN, transfer_id)

    async def take_back(self, request_id: str, account: str, amount: Money, transfer_id: str) -> str:
        request = accounts.DebitRequest(
            request_id=request_id,
            account_id=account,
            amount=money_to_wire(amount),
            purpose=accounts.PURPOSE_RETURN_OUT,
            reference=transfer_id,
        )
        return str((await self._peer.ask(AccountsServiceStub, "Debit", request)).posting_id)

    async def _credit(
        self, request_id: str, account: str, amount: Money, purpose: accounts.Purpose.ValueType, transfer_id: str
    ) -> str:
        request = accounts.CreditRequest(
            request_id=request_id,
            account_id=account,
            amount=money_to_wire(amount),
            purpose=purpose,
            reference=transfer_id,
        )
        return str((await self._peer.ask(AccountsServiceStub, "Credit", request)).posting_id)


class FraudClient:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def screen(self, request_id: str, transfer_id: str, terms: Terms, at: datetime) -> Verdict:
        request = fraud.ScreenTransferRequest(
            request_id=request_id,
            transfer_id=transfer_id,
            payer=terms.payer,
            payee=terms.payee,
            amount=money_to_wire(terms.amount),
            initiated_at=time_to_wire(at),
            batch=terms.batch,
        )
        verdict = (await self._peer.ask(FraudServiceStub, "ScreenTransfer", request)).verdict
        reasons = tuple(f"{one.rule}: {one.text}" for one in verdict.reasons)
        return Verdict(decision=_DECISIONS.from_wire(verdict.decision), reasons=reasons)


class TargetDays:
    """The days on which TARGET, the euro's settlement system, is open: not on weekends and its six holidays."""

    def __init__(self) -> None:
        self._closed = holidays.financial_holidays("ECB")

    def __call__(self, day: date) -> bool:
        return day.weekday() < 5 and day not in self._closed
