"""The people of the demo: customers, a clerk, a director and the fraud desk; and the ends that their transfers have."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import grpc
from finance.accounts.v1 import accounts_events_pb2 as kinds
from finance.accounts.v1 import accounts_service_pb2 as accounts
from finance.accounts.v1.accounts_service_pb2_grpc import AccountsServiceStub
from finance.fraud.v1 import fraud_service_pb2 as fraud
from finance.fraud.v1.fraud_service_pb2_grpc import FraudServiceStub
from finance.money.v1.money_pb2 import Money
from finance.transfers.v1 import transfers_service_pb2 as transfers
from finance.transfers.v1.transfers_service_pb2_grpc import TransfersServiceStub

from scripts.lib.demo.calls import new_id, new_trace, reason_of
from scripts.lib.demo_finance.payments import Need, Payments, payments_of, salaries
from scripts.lib.demo_finance.plans import (
    BOOK,
    CLERK,
    CLOSED,
    DIRECTOR,
    EMPLOYEES,
    FEE,
    FIRMS,
    FRAUD_DESK,
    FROZEN,
    IN_YEN,
    SALARY,
    Planned,
)
from scripts.lib.demos.clients import Clients

STUBS: Mapping[str, Any] = {
    "finance.accounts": AccountsServiceStub,
    "finance.fraud": FraudServiceStub,
    "finance.transfers": TransfersServiceStub,
}


@dataclass(slots=True, kw_only=True)
class Bank:
    """The deeds of one run. Its accounts have names of their own, so a run on servers with data begins from nothing.

    Attributes:
        payments: the file of a person, or the salaries.
        zone: the time zone of the bank.
        opening: the minor units in each account before the first transfer, without the fee.
        plans: the planned transfers by their ids.
        refused: how often each reason for a refusal came, also those of lines of the file.
        file_id, accepted, later: the payment file, how many of its lines the bank accepted, and how many of these it
            carries out on another day.
    """

    clients: Clients
    run: str
    payments: Payments
    zone: str
    opening: dict[str, int] = field(default_factory=dict)
    plans: dict[str, Planned] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    approvals: int = 0
    file_id: str = ""
    accepted: int = 0
    later: int = 0
    order: transfers.Order = field(default_factory=transfers.Order)
    trace: str = ""

    def name(self, of: str) -> str:
        return account_of(of, self.run)

    @property
    def payroll(self) -> str:
        """The customer who sends the file."""
        return f"payroll-{self.run}"

    async def open(self) -> None:
        """Opens and fills the accounts, freezes one, and closes another."""
        own = {self.name(of): need for of, need in _own()}
        named = {account: need for account, need in self.payments.accounts.items() if account not in own}
        for currency in sorted({"EUR", "JPY", *(need.currency for need in named.values())}):
            await self._open(f"suspense-{self.run}-{currency.lower()}", currency, kind=kinds.ACCOUNT_KIND_SUSPENSE)
        await asyncio.gather(*(self._open_full(account, need, f"of-{account}") for account, need in own.items()))
        for account, need in named.items():
            await self._open_full(account, need, self.payroll)
        frozen = accounts.FreezeAccountRequest(account_id=self.name(FROZEN), reason="a court order", by=CLERK)
        await self.clients.ask(frozen)
        await self.clients.ask(accounts.CloseAccountRequest(account_id=self.name(CLOSED)))

    async def _open_full(self, account: str, need: Need, holder: str) -> None:
        await self._open(account, need.currency, holder)
        held = (await self.clients.ask(accounts.GetAccountRequest(account_id=account))).account.balance
        if need.out and held.currency == need.currency:
            amount = Money(minor_units=need.out, currency=need.currency)
            deposit = accounts.PURPOSE_DEPOSIT
            request = accounts.CreditRequest(account_id=account, amount=amount, purpose=deposit, reference="opening")
            held = (await self.clients.ask(request)).account.balance
        self.opening[account] = held.minor_units

    async def _open(self, account: str, currency: str, holder: str = "", *, kind: Any = None) -> None:
        """Opens an account. One that a file names may be there already, from an earlier run."""
        kind = kind or kinds.ACCOUNT_KIND_CUSTOMER
        request = accounts.OpenAccountRequest(account_id=account, kind=kind, currency=currency, holder_id=holder)
        try:
            await self.clients.ask(request)
        except grpc.aio.AioRpcError as error:
            if reason_of(error)[0] != "ACCOUNT_OPEN_ALREADY":
                raise
        self.opening[account] = 0

    async def send_file(self) -> None:
        """Sends the payment file twice, as a person might; the second time it is refused. The bank takes a fee."""
        xml = self.payments.xml
        self.later = self.payments.waiting(datetime.now(UTC), ZoneInfo(self.zone))
        sent = transfers.SubmitFileRequest(customer_id=self.payroll, initiated_by=CLERK, xml=xml)
        answer = await self.clients.ask(sent)
        self.file_id, self.accepted = answer.file_id, answer.accepted
        self.refused["LINE_REFUSED"] += answer.refused
        await self._try(transfers.SubmitFileRequest(customer_id=self.payroll, initiated_by=CLERK, xml=xml))
        fee = Money(minor_units=FEE, currency="EUR")
        purpose, reference = accounts.PURPOSE_FEE, answer.file_id
        request = accounts.DebitRequest(account_id=self.name("mill"), amount=fee, purpose=purpose, reference=reference)
        await self.clients.ask(request)

    async def _try(self, request: Any) -> None:
        """Sends a request that may be refused."""
        try:
            await self.clients.ask(request)
        except grpc.aio.AioRpcError as error:
            self.refused[reason_of(error)[0]] += 1

    async def place_order(self) -> None:
        """Places a standing order for the last day of each month, and ends it, so that no later run carries it out."""
        schedule = transfers.Schedule(
            start="2026-01-31",
            at="06:00",
            zone="Europe/Berlin",
            every=transfers.EVERY_MONTH,
            adjust=transfers.ADJUST_FOLLOWING,
            missed=transfers.MISSED_ONCE,
        )
        terms = self._terms(Planned(payer="grace", payee="barbara", units=40))
        request = transfers.PlaceOrderRequest(order_id=new_id(), terms=terms, schedule=schedule)
        self.order = (await self.clients.ask(request)).order
        end = transfers.EndOrderRequest(order_id=self.order.order_id, by="of-grace", reason="the demo is over")
        await self.clients.ask(end)

    async def pay(self, planned: Sequence[Planned]) -> None:
        await asyncio.gather(*(self._pay(one) for one in planned))

    async def _pay(self, planned: Planned) -> None:
        transfer_id, trace = new_id(), ""
        self.plans[transfer_id] = planned
        if planned is BOOK:
            trace = self.trace = new_trace(sampled=True)
        request = transfers.InitiateTransferRequest(transfer_id=transfer_id, terms=self._terms(planned))
        await self.clients.ask(request, trace=trace)

    def _terms(self, planned: Planned) -> transfers.Terms:
        yen = planned.payer in IN_YEN
        return transfers.Terms(
            payer=self.name(planned.payer),
            payee=self.name(planned.payee),
            amount=Money(minor_units=planned.units * (1 if yen else 100), currency="JPY" if yen else "EUR"),
            customer_id=f"of-{self.name(planned.payer)}",
            initiated_by=CLERK if planned.payer in FIRMS else f"of-{planned.payer}",
        )

    async def decide(self) -> None:
        """Decides the open cases. Those of transfers that are planned to be fraud are fraud."""
        for case in await self.own_cases():
            if case.status == fraud.CASE_STATUS_OPEN and case.decision == fraud.DECISION_REVIEW:
                plan = self.plans.get(case.transfer_id)
                is_fraud = plan is not None and plan.ends == "FRAUD"
                await self.clients.ask(
                    fraud.DecideCaseRequest(transfer_id=case.transfer_id, fraud=is_fraud, by=FRAUD_DESK)
                )

    async def approve(self) -> None:
        """Approves what waits for it. First the initiator tries it, who must not."""
        for one in await self.own_transfers():
            if one.status == transfers.TRANSFER_STATUS_AWAITING_APPROVAL:
                for by in (one.terms.initiated_by, DIRECTOR):
                    await self._try(transfers.ApproveTransferRequest(transfer_id=one.transfer_id, by=by))
                self.approvals += 1

    async def refund(self) -> None:
        book = next(id for id, plan in self.plans.items() if plan is BOOK)
        await self.clients.ask(transfers.RefundTransferRequest(transfer_id=book, by=CLERK, reason="sent back"))

    async def own_transfers(self) -> list[transfers.Transfer]:
        """Returns the transfers of this run: those that the lists of its customers have, as they are now."""
        customers = {self.payroll, *(f"of-{self.name(plan.payer)}" for plan in self.plans.values())}
        found: list[transfers.Transfer] = []
        for customer in sorted(customers):
            listed = await self._all(transfers.ListTransfersRequest(customer_id=customer), "transfers")
            for one in listed:
                answer = await self.clients.ask(transfers.GetTransferRequest(transfer_id=one.transfer_id))
                found.append(answer.transfer)
        return found

    async def own_cases(self) -> list[fraud.CaseSummary]:
        """Returns the cases of the transfers of this run, the oldest first."""
        own = {one.transfer_id for one in await self.own_transfers()}
        listed = await self._all(fraud.ListCasesRequest(), "cases")
        return [case for case in listed if case.transfer_id in own]

    async def own_accounts(self) -> list[accounts.Account]:
        """Returns the accounts of this run, as they are now."""
        asked = (self.clients.ask(accounts.GetAccountRequest(account_id=id)) for id in self.opening)
        return [answer.account for answer in await asyncio.gather(*asked)]

    async def all_accounts(self) -> list[accounts.AccountSummary]:
        """Returns all accounts of the bank, also those of earlier runs."""
        return await self._all(accounts.ListAccountsRequest(), "accounts")

    async def trial_balances(self) -> list[accounts.TrialBalance]:
        return await self._all(accounts.GetTrialBalanceRequest(), "balances")

    async def statement(self, of: str) -> accounts.GetStatementResponse:
        request = accounts.GetStatementRequest(account_id=self.name(of), page_size=200)
        found: accounts.GetStatementResponse = await self.clients.ask(request)
        return found

    async def file_status(self) -> bytes:
        """Returns the pain.002 of the file."""
        return bytes((await self.clients.ask(transfers.GetFileStatusRequest(file_id=self.file_id))).xml)

    async def _all(self, request: Any, rows: str) -> list[Any]:
        """Returns the rows of all pages of a list."""
        found: list[Any] = []
        request.page_size = 200
        while True:
            answer = await self.clients.ask(request)
            found.extend(getattr(answer, rows))
            if not answer.next_page_token:
                return found
            request.page_token = answer.next_page_token


def account_of(of: str, run: str) -> str:
    """Returns the id of the account of a person in a run."""
    return f"{of}-{run}"


def own_payments(run: str, day: date) -> Payments:
    """Returns the file of the salaries."""
    employees = [account_of(of, run) for of in EMPLOYEES]
    return payments_of(salaries(account_of("mill", run), employees, SALARY, day))


def _own() -> Iterator[tuple[str, Need]]:
    """Yields the people and what each has in the beginning."""
    yield from ((of, Need(currency="EUR", out=250_000)) for of in EMPLOYEES)
    yield from ((of, Need(currency="EUR", out=6_000_000 if of == "mill" else 250_000)) for of in FIRMS)
    yield from ((of, Need(currency="JPY", out=100_000)) for of in IN_YEN)
    yield from ((of, Need(currency="EUR", out=0)) for of in (FROZEN, CLOSED))
