"""The composition of the ledger, with its stored names and its contracts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field
from treaty.commits import Shape, Stored
from treaty.messaging import on
from treaty.projections import Projection
from treaty.rpc import Api
from treaty.service import Pattern, Ports, Relation, Service
from treaty.settings import Settings

from scripts.lib.prove.ground import accounts_pb2 as accounts
from scripts.lib.prove.ground import ledger_pb2 as pb
from scripts.lib.prove.ground import ledger_pb2_grpc as pb_grpc
from scripts.lib.prove.ground.ledger.application import EveryNth, Ledger, NoteMovement
from scripts.lib.prove.ground.ledger.domain import Noted, OutOfTurn, Page, PageEvent, Repeated

PAGES = Stored("page", Page, [Shape("noted", Noted), Shape("repeated", Repeated), Shape("out-of-turn", OutOfTurn)])


@dataclass(frozen=True, kw_only=True)
class Total:
    last: int
    total: int


def total(id: str, row: Total | None, event: PageEvent) -> Total | None:
    if not isinstance(event, Noted):
        return row
    return Total(last=event.number, total=(row.total if row else 0) + event.amount)


TOTALS = Projection(name="totals", source=PAGES, row=Total, project=total, order_by="total")


@dataclass(frozen=True, kw_only=True)
class Size:
    movements: int
    total: int


def size(id: str, row: Size | None, event: PageEvent) -> Size | None:
    if not isinstance(event, Noted):
        return row
    return Size(movements=(row.movements if row else 0) + 1, total=(row.total if row else 0) + event.amount)


def _size_of(page: str, event: PageEvent) -> str | None:
    return f"{len(str(abs(event.amount)))} digits" if isinstance(event, Noted) else None


SIZES = Projection(name="sizes", source=PAGES, row=Size, project=size, order_by="movements", key=_size_of)
"""The movements of all accounts by the number of digits: rows that several streams meet in."""


def publish(page: Page, event: PageEvent) -> Sequence[pb.Noted]:
    return [pb.Noted(account_id=page.id, number=event.number)] if isinstance(event, Noted) else ()


class LedgerApi(pb_grpc.LedgerServiceServicer):
    """The servicer."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def GetPage(self, request: pb.GetPageRequest, context: Any) -> pb.GetPageResponse:
        page = await self._ledger.page(request.account_id)
        return pb.GetPageResponse(last=page.state.last, total=page.state.total)


class LedgerSettings(Settings):
    """Every `fails_every`-th movement of an account fails (0: none), at its first `fails_attempts` in a process."""

    fails_every: int = Field(0, alias="PROVING_FAILS_EVERY", ge=0)
    fails_attempts: int = Field(5, alias="PROVING_FAILS_ATTEMPTS", ge=0)


def build(ports: Ports) -> Service:
    settings = ports.settings(LedgerSettings)
    ledger = Ledger(
        ports.repository(PAGES, policies=[publish]), EveryNth(settings.fails_every, settings.fails_attempts)
    )
    return Service(
        name="proving.ledger",
        api=Api(pb_grpc.add_LedgerServiceServicer_to_server, LedgerApi(ledger)),
        publishes=[pb.Noted],
        subscriptions=[on(accounts.Moved, _moved, then=ledger.note)],
        projections=[TOTALS, SIZES],
        relations=[Relation("proving.accounts", Pattern.CUSTOMER_SUPPLIER, "its movements are noted")],
    )


def _moved(event: accounts.Moved) -> NoteMovement:
    return NoteMovement(account=event.account_id, number=event.number, amount=event.amount)
