"""The customers of a bank, its approver and its fraud desk: random transfers, each followed to its end."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from finance.accounts.v1 import accounts_events_pb2 as kinds
from finance.accounts.v1 import accounts_service_pb2 as accounts
from finance.fraud.v1 import fraud_service_pb2 as fraud
from finance.money.v1.money_pb2 import Money
from finance.transfers.v1 import transfers_service_pb2 as pb
from treaty.dependencies import DependencyAway
from treaty.domain import DomainError

from scripts.lib.prove.bank import ACCOUNTS, FRAUD, TRANSFERS
from scripts.lib.prove.bank.audit import Told
from services.finance.transfers.api.messages import STATUS
from services.finance.transfers.domain.statuses import ENDED, Status

Ask = Callable[[str, str, Any], Awaitable[Any]]
"""(context, method, request) → the answer. Raises DomainError for a refusal, DependencyAway if there is no answer."""

OPENING, OVERDRAFT = 100_00, 20_00
"""The minor units that each account begins with, and the overdraft of every third one."""

LARGE, MOST = 50, 60
"""A second person approves from so many major units on, and no transfer is above so many."""

MEAN = MOST / 2
"""The mean of the amounts, in major units."""

_FROZEN, _CLOSED, _NOBODY = "frozen", "closed", "nobody"
_REFUNDED = (pb.REFUND_STATUS_PAID, pb.REFUND_STATUS_REFUSED)


@dataclass(slots=True, kw_only=True)
class Customers:
    """Makes transfers, and records what is told of each.

    Attributes:
        ask: makes one call.
        people: the number of accounts that pay and are paid.
        pause: the seconds before the first look at a transfer; each later look waits a bit longer.
        told: what was told of each transfer.
        paid_in: the minor units that were paid in.
    """

    ask: Ask
    people: int
    chance: random.Random
    new_id: Callable[[], str]
    pause: float = 1.0
    told: list[Told] = field(default_factory=list)
    paid_in: int = 0
    _enough: bool = False

    async def open(self) -> None:
        """Opens all accounts, and pays money into those of the people."""
        suspense = {"kind": kinds.ACCOUNT_KIND_SUSPENSE, "holder_id": "", "overdraft": 0}
        await self._open("suspense-eur", **suspense)
        await asyncio.gather(*(self._open(name) for name in (_FROZEN, _CLOSED)))
        freeze = accounts.FreezeAccountRequest(request_id=self.new_id(), account_id=_FROZEN, reason="why", by="clerk")
        await self._until_answered(ACCOUNTS, "FreezeAccount", freeze)
        close = accounts.CloseAccountRequest(request_id=self.new_id(), account_id=_CLOSED)
        await self._until_answered(ACCOUNTS, "CloseAccount", close)
        await asyncio.gather(*(self._open_full(number) for number in range(self.people)))

    async def _open(self, account: str, **more: Any) -> None:
        fields = {"kind": kinds.ACCOUNT_KIND_CUSTOMER, "holder_id": f"of-{account}", **more}
        request = accounts.OpenAccountRequest(request_id=self.new_id(), account_id=account, currency="EUR", **fields)
        await self._until_answered(ACCOUNTS, "OpenAccount", request)

    async def _open_full(self, number: int) -> None:
        account = _name(number)
        await self._open(account, overdraft=OVERDRAFT if number % 3 == 0 else 0)
        request = accounts.CreditRequest(
            request_id=self.new_id(),
            account_id=account,
            amount=_money(OPENING),
            purpose=accounts.PURPOSE_DEPOSIT,
            reference="opening",
        )
        await self._until_answered(ACCOUNTS, "Credit", request)
        self.paid_in += OPENING

    def stop(self) -> None:
        """Makes each client end with the transfer that it follows."""
        self._enough = True

    async def pay(self, most: int | None = None) -> None:
        """Makes one transfer after another until it is stopped, or there are `most`."""
        while not self._enough and (most is None or len(self.told) < most):
            await self._pay()

    async def _pay(self) -> None:
        """Makes a transfer, and follows it to its end; some are cancelled on their way, and some refunded."""
        told = Told(self.new_id())
        self.told.append(told)
        request = pb.InitiateTransferRequest(
            request_id=self.new_id(), transfer_id=told.transfer_id, terms=self._terms()
        )
        told.initiated = await self._command(told, TRANSFERS, "InitiateTransfer", request)
        if told.initiated != "ok":
            return
        if self.chance.random() < 0.1:
            await asyncio.sleep(self.pause * self.chance.random())
            await self._cancel(told)
        if (await self._end(told)).status == pb.TRANSFER_STATUS_COMPLETED and self.chance.random() < 0.1:
            await self._refund(told)

    def _terms(self) -> pb.Terms:
        payer, payee = self.chance.sample(range(self.people), 2)
        to = self.chance.choice([_FROZEN, _CLOSED, _NOBODY]) if self.chance.random() < 0.06 else _name(payee)
        return pb.Terms(
            payer=_name(payer),
            payee=to,
            amount=_money(self.chance.randint(1, MOST * 100)),
            customer_id=f"of-{_name(payer)}",
            initiated_by="clerk",
        )

    async def _cancel(self, told: Told) -> None:
        told.cancelled = "unknown"
        request = pb.CancelTransferRequest(
            request_id=self.new_id(), transfer_id=told.transfer_id, by="clerk", reason="changed my mind"
        )
        told.cancelled = await self._command(told, TRANSFERS, "CancelTransfer", request)

    async def _refund(self, told: Told) -> None:
        told.refunded = "unknown"
        request = pb.RefundTransferRequest(
            request_id=self.new_id(), transfer_id=told.transfer_id, by="clerk", reason="sent back"
        )
        told.refunded = await self._command(told, TRANSFERS, "RefundTransfer", request)
        if told.refunded == "ok":
            await self._look(told, lambda transfer: transfer.refund in _REFUNDED)

    async def _end(self, told: Told) -> pb.Transfer:
        """Waits for the end of a transfer, and decides what waits for a person; returns the transfer."""
        transfer = await self._look(told, lambda transfer: STATUS.from_wire(transfer.status) in ENDED)
        told.end = (STATUS.from_wire(transfer.status), transfer.code)
        return transfer

    async def _look(self, told: Told, until: Callable[[pb.Transfer], bool]) -> pb.Transfer:
        request, wait = pb.GetTransferRequest(transfer_id=told.transfer_id), self.pause
        while True:
            await asyncio.sleep(wait * self.chance.uniform(0.8, 1.2))
            transfer: pb.Transfer = (await self._until_answered(TRANSFERS, "GetTransfer", request)).transfer
            if until(transfer):
                return transfer
            await self._decide(told, STATUS.from_wire(transfer.status))
            wait = min(1.3 * wait, 4 * self.pause)

    async def _decide(self, told: Told, status: Status) -> None:
        """Decides as a person what waits for one."""
        if status is Status.IN_REVIEW:
            is_fraud = self.chance.random() < 0.25
            decision = fraud.DecideCaseRequest(
                request_id=self.new_id(), transfer_id=told.transfer_id, fraud=is_fraud, by="the-fraud-desk"
            )
            await self._command(told, FRAUD, "DecideCase", decision)
        elif status is Status.AWAITING_APPROVAL and told.cancelled == "not asked" and self.chance.random() < 0.2:
            await self._cancel(told)
        elif status is Status.AWAITING_APPROVAL:
            approval = pb.ApproveTransferRequest(
                request_id=self.new_id(), transfer_id=told.transfer_id, by="the-director"
            )
            await self._command(told, TRANSFERS, "ApproveTransfer", approval)

    async def _command(self, told: Told, context: str, method: str, request: Any) -> Literal["ok", "refused"]:
        """Sends a command under one request id until it is answered."""
        while True:
            told.tries[method] += 1
            try:
                await self.ask(context, method, request)
            except DependencyAway:
                await asyncio.sleep(self.pause * self.chance.uniform(0.1, 0.5))
            except DomainError:
                return "refused"
            else:
                return "ok"

    async def _until_answered(self, context: str, method: str, request: Any) -> Any:
        while True:
            try:
                return await self.ask(context, method, request)
            except DependencyAway:
                await asyncio.sleep(self.pause * self.chance.uniform(0.1, 0.5))


def _name(number: int) -> str:
    return f"p-{number}"


def _money(units: int) -> Money:
    return Money(minor_units=units, currency="EUR")
