"""The composition of the accounts, with their stored names and their contracts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field
from treaty.commits import Names, Shape, Stored
from treaty.messaging import on
from treaty.projections import Projection
from treaty.rpc import Api
from treaty.sagas import StoredSaga
from treaty.service import Pattern, Ports, Relation, Service
from treaty.settings import Settings

from scripts.lib.prove.ground import accounts_pb2 as pb
from scripts.lib.prove.ground import accounts_pb2_grpc as pb_grpc
from scripts.lib.prove.ground import ledger_pb2 as ledger
from scripts.lib.prove.ground.accounts.application import Accounts, Acknowledge, NoteStep, note_steps
from scripts.lib.prove.ground.accounts.domain import Account, Acknowledged, Moved
from scripts.lib.prove.ground.accounts.sagas import (
    Asked,
    Give,
    Given,
    Refused,
    Take,
    Taken,
    TooLate,
    Transfer,
    transfer,
)

ACCOUNTS = Stored("account", Account, [Shape("moved", Moved), Shape("acknowledged", Acknowledged)])
TRANSFERS = StoredSaga(
    "transfer",
    Transfer(),
    transfer,
    [
        Shape("asked", Asked),
        Shape("taken", Taken),
        Shape("refused", Refused),
        Shape("given", Given),
        Shape("too-late", TooLate),
    ],
)
COMMANDS = Names([Shape("take", Take), Shape("give", Give), Shape("note-step", NoteStep), Shape("too-late", TooLate)])


@dataclass(frozen=True, kw_only=True)
class Balance:
    balance: int
    number: int
    acknowledged: int


REFUSED: set[str] = set()
"""The accounts that the read model of balances raises on, while the proof halts it."""


def balance(id: str, row: Balance | None, event: Moved | Acknowledged) -> Balance:
    if id in REFUSED:
        raise RuntimeError(f"the balance of {id} cannot be shown")
    row = row or Balance(balance=0, number=0, acknowledged=0)
    match event:
        case Moved():
            return Balance(balance=row.balance + event.amount, number=event.number, acknowledged=row.acknowledged)
        case Acknowledged():
            return Balance(balance=row.balance, number=row.number, acknowledged=max(row.acknowledged, event.number))


BALANCES = Projection(name="balances", source=ACCOUNTS, row=Balance, project=balance, order_by="balance")


def publish(account: Account, event: Moved | Acknowledged) -> Sequence[pb.Moved]:
    if isinstance(event, Moved):
        return [pb.Moved(account_id=account.id, number=event.number, amount=event.amount)]
    return ()


class AccountsApi(pb_grpc.AccountsServiceServicer):
    """The servicer."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def Move(self, request: pb.MoveRequest, context: Any) -> pb.MoveResponse:
        moved = await self._accounts.move(request.account_id, request.amount)
        return pb.MoveResponse(number=moved.state.number, balance=moved.state.balance, revision=moved.revision)

    async def Transfer(self, request: pb.TransferRequest, context: Any) -> pb.TransferResponse:
        begun = await self._accounts.transfer(request.request_id, request.source, request.target, request.amount)
        return pb.TransferResponse(revision=begun.revision)


class AccountsSettings(Settings):
    """`patience` is the number of seconds after which the money of a transfer is given back."""

    patience: float = Field(20.0, alias="PROVING_PATIENCE", gt=0)


def build(ports: Ports) -> Service:
    repository = ports.repository(ACCOUNTS, policies=[publish, note_steps], commands=COMMANDS)
    transfers = ports.saga(TRANSFERS, key=lambda fact: fact.transfer, commands=COMMANDS)
    accounts = Accounts(repository, transfers, ports.clock, ports.settings(AccountsSettings).patience)
    add = pb_grpc.add_AccountsServiceServicer_to_server
    return Service(
        name="proving.accounts",
        api=Api(add, AccountsApi(accounts)),
        publishes=[pb.Moved],
        subscriptions=[on(ledger.Noted, _noted, then=accounts.acknowledge)],
        commands=COMMANDS,
        calls={Take: accounts.take, Give: accounts.give, NoteStep: accounts.note_step},
        projections=[BALANCES],
        sagas=[transfers],
        relations=[Relation("proving.ledger", Pattern.PARTNERSHIP, "each noted movement is acknowledged")],
    )


def _noted(event: ledger.Noted) -> Acknowledge:
    return Acknowledge(account=event.account_id, number=event.number)
