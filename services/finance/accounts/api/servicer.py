"""The gRPC servicer of Accounts: translates requests, calls the use cases, translates their results."""

from datetime import datetime, timedelta
from typing import Any

from finance.accounts.v1 import accounts_service_pb2 as pb
from finance.accounts.v1 import accounts_service_pb2_grpc as pb_grpc
from treaty.rpc import page_of, to_token

from services.finance.accounts.api import messages
from services.finance.accounts.application import commands
from services.finance.accounts.application.accounts import Accounts
from services.finance.accounts.application.books import Books
from services.finance.accounts.application.corrections import Corrections
from services.finance.accounts.application.movements import Movements
from services.finance.accounts.external.iso20022.messages import write_statement
from services.finance.accounts.publishing import KINDS
from services.finance.wire import money_from_wire, time_from_wire


class AccountsApi(pb_grpc.AccountsServiceServicer):
    """The gRPC servicer.

    The answers to commands contain no personal data, so a repeated command gets the same answer after an erasure.
    """

    def __init__(self, accounts: Accounts, movements: Movements, corrections: Corrections, books: Books) -> None:
        self._accounts, self._movements, self._corrections, self._books = accounts, movements, corrections, books

    async def OpenAccount(self, request: pb.OpenAccountRequest, context: Any) -> pb.OpenAccountResponse:
        command = commands.OpenAccount(
            account_id=request.account_id,
            kind=KINDS.from_wire(request.kind),
            currency=request.currency,
            holder_id=request.holder_id,
            name=request.name,
            email=request.email,
            overdraft=request.overdraft,
            rates=messages.rates_from_wire(request.rates),
        )
        opened = await self._accounts.open_account(command)
        return pb.OpenAccountResponse(account=messages.account_to_wire(opened.state), revision=opened.revision)

    async def ChangeTerms(self, request: pb.ChangeTermsRequest, context: Any) -> pb.ChangeTermsResponse:
        command = commands.ChangeTerms(
            account_id=request.account_id,
            overdraft=request.overdraft,
            rates=messages.rates_from_wire(request.rates),
            by=request.by,
        )
        changed = await self._accounts.change_terms(command)
        return pb.ChangeTermsResponse(account=messages.account_to_wire(changed.state), revision=changed.revision)

    async def FreezeAccount(self, request: pb.FreezeAccountRequest, context: Any) -> pb.FreezeAccountResponse:
        command = commands.FreezeAccount(account_id=request.account_id, reason=request.reason, by=request.by)
        frozen = await self._accounts.freeze_account(command)
        return pb.FreezeAccountResponse(account=messages.account_to_wire(frozen.state), revision=frozen.revision)

    async def UnfreezeAccount(self, request: pb.UnfreezeAccountRequest, context: Any) -> pb.UnfreezeAccountResponse:
        command = commands.UnfreezeAccount(account_id=request.account_id, reason=request.reason, by=request.by)
        unfrozen = await self._accounts.unfreeze_account(command)
        return pb.UnfreezeAccountResponse(account=messages.account_to_wire(unfrozen.state), revision=unfrozen.revision)

    async def CloseAccount(self, request: pb.CloseAccountRequest, context: Any) -> pb.CloseAccountResponse:
        closed = await self._accounts.close_account(commands.CloseAccount(account_id=request.account_id))
        return pb.CloseAccountResponse(account=messages.account_to_wire(closed.state), revision=closed.revision)

    async def EraseHolder(self, request: pb.EraseHolderRequest, context: Any) -> pb.EraseHolderResponse:
        erased = await self._accounts.erase_holder(commands.EraseHolder(account_id=request.account_id))
        return pb.EraseHolderResponse(account=messages.account_to_wire(erased.state), revision=erased.revision)

    async def SettleInterest(self, request: pb.SettleInterestRequest, context: Any) -> pb.SettleInterestResponse:
        settled = await self._accounts.settle_interest(commands.SettleInterest(account_id=request.account_id))
        return pb.SettleInterestResponse(account=messages.account_to_wire(settled.state), revision=settled.revision)

    async def Reserve(self, request: pb.ReserveRequest, context: Any) -> pb.ReserveResponse:
        command = commands.Reserve(
            account_id=request.account_id,
            hold_id=request.request_id.lower(),
            amount=money_from_wire(request.amount),
            lasts=timedelta(milliseconds=max(1, request.lasts.ToMilliseconds())),
        )
        reserved = await self._movements.reserve(command)
        return pb.ReserveResponse(
            account=messages.account_to_wire(reserved.state), hold_id=command.hold_id, revision=reserved.revision
        )

    async def Capture(self, request: pb.CaptureRequest, context: Any) -> pb.CaptureResponse:
        command = commands.Capture(
            account_id=request.account_id,
            hold_id=request.hold_id.lower(),
            amount=money_from_wire(request.amount),
            reference=request.reference,
        )
        return pb.CaptureResponse(**messages.moved_to_wire(await self._movements.capture(command)))

    async def Release(self, request: pb.ReleaseRequest, context: Any) -> pb.ReleaseResponse:
        command = commands.Release(account_id=request.account_id, hold_id=request.hold_id.lower())
        released = await self._movements.release(command)
        return pb.ReleaseResponse(account=messages.account_to_wire(released.state), revision=released.revision)

    async def Credit(self, request: pb.CreditRequest, context: Any) -> pb.CreditResponse:
        command = commands.Credit(
            account_id=request.account_id,
            amount=money_from_wire(request.amount),
            purpose=messages.PURPOSES.from_wire(request.purpose),
            reference=request.reference,
        )
        return pb.CreditResponse(**messages.moved_to_wire(await self._movements.credit(command)))

    async def Debit(self, request: pb.DebitRequest, context: Any) -> pb.DebitResponse:
        command = commands.Debit(
            account_id=request.account_id,
            amount=money_from_wire(request.amount),
            purpose=messages.PURPOSES.from_wire(request.purpose),
            reference=request.reference,
        )
        return pb.DebitResponse(**messages.moved_to_wire(await self._movements.debit(command)))

    async def ProposeCorrection(
        self, request: pb.ProposeCorrectionRequest, context: Any
    ) -> pb.ProposeCorrectionResponse:
        command = commands.ProposeCorrection(posting_id=request.posting_id, reason=request.reason, by=request.by)
        proposed = await self._corrections.propose(command)
        return pb.ProposeCorrectionResponse(
            correction=messages.correction_to_wire(proposed.state), revision=proposed.revision
        )

    async def ApproveCorrection(
        self, request: pb.ApproveCorrectionRequest, context: Any
    ) -> pb.ApproveCorrectionResponse:
        command = commands.ApproveCorrection(posting_id=request.posting_id, by=request.by)
        approved = await self._corrections.approve(command)
        return pb.ApproveCorrectionResponse(
            correction=messages.correction_to_wire(approved.state), revision=approved.revision
        )

    async def DeclineCorrection(
        self, request: pb.DeclineCorrectionRequest, context: Any
    ) -> pb.DeclineCorrectionResponse:
        command = commands.DeclineCorrection(posting_id=request.posting_id, reason=request.reason, by=request.by)
        declined = await self._corrections.decline(command)
        return pb.DeclineCorrectionResponse(
            correction=messages.correction_to_wire(declined.state), revision=declined.revision
        )

    async def GetAccount(self, request: pb.GetAccountRequest, context: Any) -> pb.GetAccountResponse:
        found, person = await self._accounts.get_account(request.account_id)
        return pb.GetAccountResponse(
            account=messages.account_to_wire(
                found.state, available=found.state.available_at(self._accounts.clock.now())
            ),
            revision=found.revision,
            name=person.get("name", ""),
            email=person.get("email", ""),
        )

    async def GetHold(self, request: pb.GetHoldRequest, context: Any) -> pb.GetHoldResponse:
        query = commands.FindHold(
            account_id=request.account_id, hold_id=request.hold_id.lower(), not_before=request.not_before
        )
        return pb.GetHoldResponse(hold=messages.hold_to_wire(await self._books.find_hold(query)))

    async def GetCorrection(self, request: pb.GetCorrectionRequest, context: Any) -> pb.GetCorrectionResponse:
        found = await self._corrections.get(request.posting_id)
        return pb.GetCorrectionResponse(correction=messages.correction_to_wire(found.state), revision=found.revision)

    async def ListAccounts(self, request: pb.ListAccountsRequest, context: Any) -> pb.ListAccountsResponse:
        query = commands.ListAccounts(
            holder_id=request.holder_id,
            kind=KINDS.find(request.kind),
            page=page_of(request),
        )
        rows, after = await self._accounts.list_accounts(query)
        return pb.ListAccountsResponse(
            accounts=[messages.summary_to_wire(row) for row in rows], next_page_token=to_token(after)
        )

    async def ListCorrections(self, request: pb.ListCorrectionsRequest, context: Any) -> pb.ListCorrectionsResponse:
        query = commands.ListCorrections(status=messages.CORRECTION_STATUS.find(request.status), page=page_of(request))
        rows, after = await self._corrections.list_corrections(query)
        return pb.ListCorrectionsResponse(
            corrections=[messages.correction_summary_to_wire(row) for row in rows], next_page_token=to_token(after)
        )

    async def GetStatement(self, request: pb.GetStatementRequest, context: Any) -> pb.GetStatementResponse:
        query = commands.ReadStatement(
            account_id=request.account_id,
            **_period(request),
            page=page_of(request),
        )
        read = await self._books.read_statement(query)
        return pb.GetStatementResponse(
            lines=[messages.line_to_wire(row) for row in read.lines],
            opening=read.opening,
            closing=read.closing,
            next_page_token=to_token(read.after),
        )

    async def GetStatementFile(self, request: pb.GetStatementFileRequest, context: Any) -> pb.GetStatementFileResponse:
        query = commands.ReadWholeStatement(
            account_id=request.account_id,
            start=time_from_wire(request.start),
            end=time_from_wire(request.end),
            not_before=request.not_before,
        )
        read = await self._books.read_whole_statement(query)
        return pb.GetStatementFileResponse(xml=write_statement(read, self._accounts.clock.now()))

    async def GetTrialBalance(self, request: pb.GetTrialBalanceRequest, context: Any) -> pb.GetTrialBalanceResponse:
        rows, after = await self._books.trial_balance(page_of(request))
        return pb.GetTrialBalanceResponse(
            balances=[messages.trial_balance_to_wire(row) for row in rows], next_page_token=to_token(after)
        )

    async def ExportLedger(self, request: pb.ExportLedgerRequest, context: Any) -> pb.ExportLedgerResponse:
        query = commands.ExportLedger(
            **_period(request),
            page=page_of(request),
        )
        text, after = await self._books.export_ledger(query)
        return pb.ExportLedgerResponse(csv=text, next_page_token=to_token(after))


def _period(request: Any) -> dict[str, datetime | None]:
    return {
        bound: time_from_wire(getattr(request, bound)) if request.HasField(bound) else None
        for bound in ("start", "end")
    }
