"""A client of Accounts."""

from typing import Any

from finance.accounts.v1 import accounts_events_pb2 as events
from finance.accounts.v1 import accounts_service_pb2 as pb
from finance.accounts.v1.accounts_service_pb2_grpc import AccountsServiceStub
from finance.money.v1.money_pb2 import Money
from google.protobuf.duration_pb2 import Duration
from treaty.testing.clients import TIMEOUT
from treaty.testing.world import SeededIds

CONTEXT = "finance.accounts"
CUSTOMER = events.ACCOUNT_KIND_CUSTOMER


def eur(units: int) -> Money:
    return Money(minor_units=units, currency="EUR")


class Teller:
    """Opens accounts and moves money, over a channel to Accounts."""

    def __init__(self, channel: Any, seed: str = "requests") -> None:
        self.ids = SeededIds(seed)
        self._stub: Any = AccountsServiceStub(channel)

    async def ask(self, method: str, **fields: Any) -> Any:
        """Makes a call; a command gets a new request_id unless one is given."""
        kind = getattr(pb, f"{method}Request")
        if "request_id" in kind.DESCRIPTOR.fields_by_name:
            fields = {"request_id": self.ids.new(), **fields}
        return await getattr(self._stub, method)(kind(**fields), timeout=TIMEOUT)

    async def open(self, account_id: str, units: int = 0, /, **more: Any) -> Any:
        """Opens a customer's account, and pays money into it."""
        asked = {"kind": CUSTOMER, "currency": "EUR", "holder_id": f"holder-of-{account_id}", **more}
        answer = await self.ask("OpenAccount", account_id=account_id, **asked)
        return await self.deposit(account_id, units) if units else answer

    async def deposit(self, account_id: str, units: int, **more: Any) -> Any:
        asked = {"purpose": pb.PURPOSE_DEPOSIT, "reference": "cash", **more}
        return await self.ask("Credit", account_id=account_id, amount=eur(units), **asked)

    async def withdraw(self, account_id: str, units: int, **more: Any) -> Any:
        asked = {"amount": eur(units), "purpose": pb.PURPOSE_WITHDRAWAL, "reference": "cash", **more}
        return await self.ask("Debit", account_id=account_id, **asked)

    async def reserve(self, account_id: str, units: int, seconds: float = 60, **more: Any) -> Any:
        lasts = Duration()
        lasts.FromMilliseconds(round(seconds * 1000))
        return await self.ask("Reserve", account_id=account_id, amount=eur(units), lasts=lasts, **more)

    async def capture(self, account_id: str, hold_id: str, units: int, **more: Any) -> Any:
        asked = {"hold_id": hold_id, "amount": eur(units), "reference": "t-1", **more}
        return await self.ask("Capture", account_id=account_id, **asked)

    async def balance(self, account_id: str) -> tuple[int, int]:
        """Returns the balance and the available balance."""
        account = (await self.ask("GetAccount", account_id=account_id)).account
        return account.balance.minor_units, account.available.minor_units
