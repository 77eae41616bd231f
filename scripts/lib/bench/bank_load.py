"""The load of a bank: postings on one account as fast as they are answered, or transfers, each followed to its end."""

import argparse
import asyncio
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import uvloop
from finance.accounts.v1 import accounts_events_pb2 as kinds
from finance.accounts.v1 import accounts_service_pb2 as accounts
from finance.accounts.v1.accounts_service_pb2_grpc import AccountsServiceStub
from finance.money.v1.money_pb2 import Money
from finance.transfers.v1 import transfers_service_pb2 as transfers
from finance.transfers.v1.transfers_service_pb2_grpc import TransfersServiceStub
from treaty.rpc.client import channel, until_answered

OPENING = 1_000_000
"""The minor units that each account of the transfers begins with."""

_ENDED = (
    transfers.TRANSFER_STATUS_COMPLETED,
    transfers.TRANSFER_STATUS_FAILED,
    transfers.TRANSFER_STATUS_CANCELLED,
)
_LOOK_EVERY = 0.25


@dataclass(slots=True)
class BankLoad:
    """One measurement.

    Attributes:
        prefix: the beginning of the ids of the accounts.
        units: the minor units of all acknowledged postings.
        ends: the statuses of the transfers that ended.
    """

    accounts: Any
    transfers: Any
    prefix: str
    acknowledged: int = 0
    units: int = 0
    errors: int = 0
    ends: list[int] = field(default_factory=list)

    async def open(self, account: str, units: int = 0) -> None:
        """Opens an account, and pays money into it."""
        opening = accounts.OpenAccountRequest(
            request_id=str(uuid.uuid4()),
            account_id=account,
            kind=kinds.ACCOUNT_KIND_CUSTOMER,
            currency="EUR",
            holder_id=f"of-{account}",
        )
        await until_answered(lambda: self.accounts.OpenAccount(opening, timeout=30))
        if units:
            await until_answered(lambda: self.accounts.Credit(_credit(account, units), timeout=30))

    async def hot(self, callers: int, seconds: float) -> float:
        """Credits one account for some seconds; returns the postings per second. Every amount is another one."""
        account = f"{self.prefix}-hot"
        await self.open(account)
        begun = time.perf_counter()
        await asyncio.gather(*(self._credit_on(account, begun + seconds) for _ in range(callers)))
        return self.acknowledged / (time.perf_counter() - begun)

    async def _credit_on(self, account: str, end: float) -> None:
        while time.perf_counter() < end:
            request = _credit(account, 1 + (self.acknowledged % 997))
            try:
                await self.accounts.Credit(request, timeout=30)
            except grpc.aio.AioRpcError:
                self.errors += 1
                continue
            self.acknowledged += 1
            self.units += request.amount.minor_units

    async def transfer(self, callers: int, count: int, people: int) -> float:
        """Makes transfers, the payers in turn; returns the completed ones per second."""
        begun, left = time.perf_counter(), iter(range(count))
        await asyncio.gather(*(self._transfer_on(left, people) for _ in range(callers)))
        return self.ends.count(transfers.TRANSFER_STATUS_COMPLETED) / (time.perf_counter() - begun)

    async def _transfer_on(self, left: Iterator[int], people: int) -> None:
        for number in left:
            payer, payee = (f"{self.prefix}-{(number + step) % people}" for step in (0, 1))
            terms = transfers.Terms(
                payer=payer,
                payee=payee,
                amount=Money(minor_units=100, currency="EUR"),
                customer_id=f"of-{payer}",
                initiated_by="bench",
            )
            id = str(uuid.uuid4())
            request = transfers.InitiateTransferRequest(request_id=str(uuid.uuid4()), transfer_id=id, terms=terms)
            await until_answered(lambda asked=request: self.transfers.InitiateTransfer(asked, timeout=30))  # type: ignore[misc]
            self.acknowledged += 1
            self.ends.append(await self._end(id))

    async def _end(self, transfer_id: str) -> int:
        request = transfers.GetTransferRequest(transfer_id=transfer_id)
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            found = await until_answered(lambda: self.transfers.GetTransfer(request, timeout=30))
            if found.transfer.status in _ENDED:
                return int(found.transfer.status)


def _credit(account: str, units: int) -> accounts.CreditRequest:
    return accounts.CreditRequest(
        request_id=str(uuid.uuid4()),
        account_id=account,
        amount=Money(minor_units=units, currency="EUR"),
        purpose=accounts.PURPOSE_DEPOSIT,
        reference="bench",
    )


async def _main(arguments: argparse.Namespace) -> None:
    to_accounts, to_transfers = channel(arguments.accounts), channel(arguments.transfers)
    load = BankLoad(AccountsServiceStub(to_accounts), TransfersServiceStub(to_transfers), arguments.prefix)
    if arguments.what == "hot":
        per_s = await load.hot(arguments.callers, arguments.seconds)
    elif arguments.what == "open":
        people = [f"{arguments.prefix}-{number}" for number in range(arguments.people)]
        await asyncio.gather(*(load.open(name, OPENING) for name in people))
        per_s = 0.0
    else:
        per_s = await load.transfer(arguments.callers, arguments.count, arguments.people)
    await asyncio.gather(to_accounts.close(), to_transfers.close())
    completed = load.ends.count(transfers.TRANSFER_STATUS_COMPLETED)
    figures = {
        "per_s": per_s,
        "acknowledged": load.acknowledged,
        "units": load.units,
        "errors": load.errors,
        "completed": completed,
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Moves money.")
    parser.add_argument("what", choices=("open", "hot", "transfers"))
    parser.add_argument("--accounts", required=True)
    parser.add_argument("--transfers", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--callers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--people", type=int, default=2)
    uvloop.run(_main(parser.parse_args()))
