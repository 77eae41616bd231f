"""Transfers through three processes on the real servers, each of which is killed: no money is made, lost or held."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from finance.accounts.v1 import accounts_events_pb2 as account_events
from finance.accounts.v1 import accounts_service_pb2 as accounts_pb
from finance.transfers.v1 import transfers_service_pb2 as pb
from treaty.rpc.client import until_answered
from treaty.testing import while_moving

from scripts.lib.prove.bank.audit import complaints
from tests.real.houses import House, house
from tests.services.finance.accounts.teller import Teller
from tests.services.finance.bank import CONTEXTS, Transfers, terms

pytestmark = pytest.mark.slow

PEOPLE = [f"p-{number}" for number in range(10)]
PAYEES = [*PEOPLE, "frozen", "closed", "nobody"]
ENDED = (pb.TRANSFER_STATUS_COMPLETED, pb.TRANSFER_STATUS_FAILED, pb.TRANSFER_STATUS_CANCELLED)
EACH = 20_000


class Clerk(Transfers):
    """A client that asks again, with the same request_id, as long as the outcome is unknown."""

    async def ask(self, method: str, **fields: Any) -> Any:
        if "request_id" in getattr(pb, f"{method}Request").DESCRIPTOR.fields_by_name:
            fields = {"request_id": self.ids.new(), **fields}
        return await until_answered(partial(super().ask, method, **fields), attempts=150)


class PatientTeller(Teller):
    """A client of Accounts that asks again, as a Clerk does."""

    async def ask(self, method: str, **fields: Any) -> Any:
        if "request_id" in getattr(accounts_pb, f"{method}Request").DESCRIPTOR.fields_by_name:
            fields = {"request_id": self.ids.new(), **fields}
        return await until_answered(partial(super().ask, method, **fields), attempts=150)


@pytest.fixture
async def bank(servers: Mapping[str, str], tmp_path: Path) -> AsyncIterator[House]:
    settings = {"TRANSFERS_UNSCREENED": "accept", "TRANSFERS_SCREENING_SECONDS": "20"}
    async with house(servers, tmp_path, {name: name for name in CONTEXTS}, settings) as running:
        yield running


async def test_no_money_is_made_lost_or_held_although_every_process_is_killed(bank: House) -> None:
    teller = PatientTeller(bank.channel("finance.accounts"), "teller")
    clerk = Clerk(bank.channel("finance.transfers"), bank.channel("finance.fraud"))
    await _open(teller)
    transfers = _some(random.Random(11), clerk, 150)
    making = asyncio.gather(*(_make(clerk, one) for one in transfers))
    for number, context in enumerate(CONTEXTS):
        await while_moving(partial(_has_commits, bank, context, 20 + 20 * number), partial(_progress, bank))
        await bank.kill(context)
        await bank.start(context)
    await making
    ends = [await while_moving(partial(_end, clerk, id), partial(_progress, bank)) for id, _ in transfers]
    assert set(ends) == {pb.TRANSFER_STATUS_COMPLETED, pb.TRANSFER_STATUS_FAILED}
    await while_moving(partial(_is_sound, bank), partial(_progress, bank))
    balances = [(await teller.balance(name)) for name in PEOPLE]
    assert sum(balance for balance, _ in balances) == EACH * len(PEOPLE)
    assert [balance for balance, available in balances if balance != available] == []


async def _open(teller: PatientTeller) -> None:
    await asyncio.gather(*(teller.open(name, EACH) for name in PEOPLE))
    await teller.open("suspense-eur", kind=account_events.ACCOUNT_KIND_SUSPENSE, holder_id="")
    for name, method in (("frozen", "FreezeAccount"), ("closed", "CloseAccount")):
        await teller.open(name)
        more = {"reason": "why", "by": "clerk"} if name == "frozen" else {}
        await teller.ask(method, account_id=name, **more)


def _some(dice: random.Random, clerk: Clerk, count: int) -> Sequence[tuple[str, pb.Terms]]:
    found = []
    for _ in range(count):
        payer = dice.choice(PEOPLE)
        payee = dice.choice([name for name in PAYEES if name != payer])
        found.append((clerk.ids.new(), terms(dice.randint(1, 9_000), payer, payee)))
    return found


async def _make(clerk: Clerk, one: tuple[str, pb.Terms]) -> None:
    """Initiates a transfer twice, with the same request: a client that lost the answer."""
    request = {"request_id": clerk.ids.new(), "transfer_id": one[0], "terms": one[1]}
    first = await clerk.ask("InitiateTransfer", **request)
    assert (await clerk.ask("InitiateTransfer", **request)).revision == first.revision


async def _end(clerk: Clerk, transfer_id: str) -> int:
    """Returns the status that a transfer has ended with, or 0. A suspicious one is decided to be fraud."""
    transfer = await clerk.get(transfer_id)
    if transfer.status == pb.TRANSFER_STATUS_IN_REVIEW:
        try:
            await clerk.decide(transfer_id, is_fraud=True)
        except grpc.aio.AioRpcError:
            return 0
    return int(transfer.status) if transfer.status in ENDED else 0


async def _has_commits(bank: House, context: str, count: int) -> bool:
    return await bank.count(context) >= count


async def _progress(bank: House) -> object:
    return [await bank.count(context) for context in CONTEXTS]


async def _is_sound(bank: House) -> bool:
    """Returns whether the audit has no complaint; the last holds may still be on their way to be released."""
    return not complaints(await bank.commits("finance.accounts"), await bank.commits("finance.transfers"))
