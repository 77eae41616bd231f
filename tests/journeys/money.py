"""The ways of money that go wrong, through Accounts, Fraud and Transfers: the same in this process and on real servers.

A subclass of a suite has the fixture `branch`. Between Transfers and the two others are proxies, at which requests or
answers are lost.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from finance.transfers.v1 import transfers_service_pb2 as pb
from treaty.commits.commit import Commit
from treaty.testing import eventually

from scripts.lib.demo.calls import reason_of
from scripts.lib.prove.bank.audit import complaints
from scripts.lib.prove.proxy import Proxy
from tests.services.finance.accounts.teller import Teller
from tests.services.finance.bank import Transfers

ACCOUNTS, FRAUD, TRANSFERS = CONTEXTS = ("finance.accounts", "finance.fraud", "finance.transfers")

SETTINGS = {"TRANSFERS_LARGE": "50", "TRANSFERS_SCREENING_SECONDS": "120"}
IMPATIENT = {
    "TRANSFERS_UNSCREENED": "approve",
    "TRANSFERS_SCREENING_SECONDS": "0.2",
    "TRANSFERS_APPROVAL_SECONDS": "1",
}
"""Fraud is away in these suites, so a second person approves each transfer, and has a second for it."""

COMPLETED, FAILED, CANCELLED = (
    pb.TRANSFER_STATUS_COMPLETED,
    pb.TRANSFER_STATUS_FAILED,
    pb.TRANSFER_STATUS_CANCELLED,
)
AWAITING_APPROVAL = pb.TRANSFER_STATUS_AWAITING_APPROVAL
SMALL, LARGE, SUSPICIOUS = 3_00, 60_00, 12_000_00
WITHIN = 90.0
"""Seconds after which a journey fails, also on a machine that is busy with other things."""


class Clerk(Transfers):
    """Makes transfers, with patience."""

    async def until(self, transfer_id: str, holds: Callable[[Any], bool]) -> Any:
        async def found() -> Any:
            transfer = await self.get(transfer_id)
            return transfer if holds(transfer) else None

        return await eventually(found, within=WITHIN)


@dataclass(slots=True)
class Branch:
    """A branch of the bank: its clients, the proxies between Transfers and the other contexts, and the logs.

    Every journey has accounts of its own, so the journeys can share one branch.
    """

    teller: Teller
    clerk: Clerk
    doors: Mapping[str, Proxy]
    logs: Callable[[], Awaitable[tuple[Sequence[Commit], Sequence[Commit]]]]

    def name(self, of: str) -> str:
        return f"{of}-{self.teller.ids.new()[:8]}"

    async def account(self, units: int = 0, of: str = "a", **more: Any) -> str:
        """Opens an account, and returns its id."""
        name = self.name(of)
        await self.teller.open(name, units, **more)
        return name

    async def pair(self, units: int = 0) -> tuple[str, str]:
        """Returns a payer with so many minor units, and a payee with none."""
        return await self.account(units, "payer"), await self.account(0, "payee")

    async def approvable(self, payer: str, payee: str) -> str:
        """Initiates a transfer that waits for a second person."""
        transfer_id = await self.clerk.initiate(LARGE, payer, payee)
        await self.clerk.reach(transfer_id, AWAITING_APPROVAL)
        return transfer_id

    async def approve(self, transfer_id: str) -> None:
        await self.clerk.ask("ApproveTransfer", transfer_id=transfer_id, by="chief")

    async def cancel(self, transfer_id: str) -> None:
        await self.clerk.ask("CancelTransfer", transfer_id=transfer_id, by="clerk", reason="a mistake")

    async def refund(self, transfer_id: str) -> None:
        await self.clerk.ask("RefundTransfer", transfer_id=transfer_id, by="clerk", reason="sent back")

    async def refunded(self, transfer_id: str, status: int = pb.REFUND_STATUS_PAID) -> Any:
        return await self.clerk.until(transfer_id, lambda transfer: transfer.refund == status)

    async def balances(self, *names: str) -> list[int]:
        """Returns the balances of accounts on which nothing is held."""
        found = [await self.teller.balance(name) for name in names]
        assert [balance for balance, _ in found] == [available for _, available in found]
        return [balance for balance, _ in found]

    async def has(self, account: str, balance: int) -> None:
        """Waits until an account has a balance."""

        async def found() -> bool:
            return (await self.teller.balance(account))[0] == balance

        await eventually(found, within=WITHIN)

    async def sound(self) -> bool:
        """Returns whether the audit is silent, but for the captures of the tellers, which belong to no transfer."""
        return not [text for text in complaints(*(await self.logs())) if "t-1" not in text]


@contextmanager
def lost(door: Proxy, *, answers_only: bool) -> Any:
    """Drops requests and answers at a door, or only answers; at the end, all connections are reset."""
    door.mute, door.silent = answers_only, not answers_only
    try:
        yield
    finally:
        door.mute = door.silent = False
        door.cut()


async def refused_with(call: Awaitable[Any]) -> str | None:
    """Returns the reason of the refusal of a call, or None if it was carried out."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return reason_of(error)[0]
    return None
