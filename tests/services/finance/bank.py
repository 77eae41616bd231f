"""A client of the whole bank: accounts, fraud and transfers."""

from collections.abc import Callable
from typing import Any

from finance.accounts.v1 import accounts_events_pb2 as account_events
from finance.fraud.v1 import fraud_service_pb2 as fraud
from finance.fraud.v1.fraud_service_pb2_grpc import FraudServiceStub
from finance.transfers.v1 import transfers_service_pb2 as pb
from finance.transfers.v1.transfers_service_pb2_grpc import TransfersServiceStub
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT
from treaty.testing.world import SeededIds, World

from tests.services.finance.accounts.teller import Teller, eur

CONTEXTS = ("finance.accounts", "finance.fraud", "finance.transfers")


class Transfers:
    """Makes transfers, over a channel to Transfers and one to Fraud."""

    def __init__(self, channel: Any, fraud_channel: Any, seed: str = "transfers") -> None:
        self.ids = SeededIds(seed)
        self._stub: Any = TransfersServiceStub(channel)
        self._fraud: Any = FraudServiceStub(fraud_channel)

    async def ask(self, method: str, **fields: Any) -> Any:
        kind = getattr(pb, f"{method}Request")
        if "request_id" in kind.DESCRIPTOR.fields_by_name:
            fields = {"request_id": self.ids.new(), **fields}
        return await getattr(self._stub, method)(kind(**fields), timeout=TIMEOUT)

    async def initiate(self, units: int, payer: str = "ann", payee: str = "bob", **more: Any) -> str:
        """Initiates a transfer and returns its id."""
        asked = {"transfer_id": self.ids.new(), "terms": terms(units, payer, payee), **more}
        answer = await self.ask("InitiateTransfer", **asked)
        transfer_id: str = answer.transfer.transfer_id
        return transfer_id

    async def get(self, transfer_id: str) -> Any:
        return (await self.ask("GetTransfer", transfer_id=transfer_id)).transfer

    async def reach(self, transfer_id: str, *statuses: int) -> Any:
        """Waits until a transfer has one of the statuses, and returns it."""
        return await self.until(transfer_id, lambda transfer: transfer.status in statuses)

    async def until(self, transfer_id: str, holds: Callable[[Any], bool]) -> Any:
        async def found() -> Any:
            transfer = await self.get(transfer_id)
            return transfer if holds(transfer) else None

        return await eventually(found)

    async def move(self, units: int, payer: str = "ann", payee: str = "bob") -> Any:
        """Makes a transfer, and waits for its end."""
        transfer_id = await self.initiate(units, payer, payee)
        return await self.reach(
            transfer_id, pb.TRANSFER_STATUS_COMPLETED, pb.TRANSFER_STATUS_FAILED, pb.TRANSFER_STATUS_CANCELLED
        )

    async def decide(self, transfer_id: str, *, is_fraud: bool) -> None:
        """Decides the case of a transfer at Fraud, once it is open."""
        await eventually(lambda: self._has_case(transfer_id))
        request = fraud.DecideCaseRequest(
            request_id=self.ids.new(), transfer_id=transfer_id, fraud=is_fraud, by="the-fraud-desk"
        )
        await self._fraud.DecideCase(request, timeout=TIMEOUT)

    async def cases(self, **where: Any) -> list[fraud.CaseSummary]:
        """Returns the cases at Fraud, the oldest first."""
        listed = await self._fraud.ListCases(fraud.ListCasesRequest(page_size=200, **where), timeout=TIMEOUT)
        return list(listed.cases)

    async def _has_case(self, transfer_id: str) -> bool:
        return transfer_id in [case.transfer_id for case in await self.cases()]


def terms(units: int, payer: str = "ann", payee: str = "bob", customer: str = "", by: str = "clerk") -> pb.Terms:
    return pb.Terms(payer=payer, payee=payee, amount=eur(units), customer_id=customer or f"of-{payer}", initiated_by=by)


class Bank(Transfers):
    """A client of the bank in memory."""

    def __init__(self, world: World) -> None:
        super().__init__(world.channel, world.channel)
        self.world = world
        self.teller = Teller(world.channel, "teller")

    async def open(self, **balances: int) -> None:
        """Opens accounts with balances, and the suspense account."""
        for name, units in balances.items():
            await self.teller.open(name, units)
        await self.teller.open("suspense-eur", kind=account_events.ACCOUNT_KIND_SUSPENSE, holder_id="")

    async def balances(self, *names: str) -> list[tuple[int, int]]:
        return [await self.teller.balance(name) for name in names]

    async def settled(self) -> None:
        await eventually(self.world.is_settled)

    def published(self, suffix: str) -> list[str]:
        """Returns the subjects of the published events of Transfers with this name."""
        name = f"finance.transfers.v1.{suffix}"
        return [event.partition_key for event in self.world.broker.published if event.type == name]
