"""Accounts as two processes on the real servers: money is never made or lost, also when one of them is killed."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from finance.accounts.v1 import accounts_service_pb2 as pb
from treaty.rpc.client import until_answered
from treaty.testing import eventually
from treaty.testing.clients import refusal

from services.finance.accounts.domain.events import Posted
from services.finance.accounts.projections import TrialBalance, trial_balance
from services.finance.accounts.storage import ACCOUNTS, TRIAL_BALANCES
from tests.real.houses import House, house
from tests.services.finance.accounts.teller import CONTEXT, Teller

pytestmark = pytest.mark.slow

NAMES = [f"a-{number}" for number in range(40)]
EACH = 10_000


class Patient(Teller):
    """A client that asks again, with the same request_id, as long as the outcome is unknown."""

    async def ask(self, method: str, **fields: Any) -> Any:
        if "request_id" in getattr(pb, f"{method}Request").DESCRIPTOR.fields_by_name:
            fields = {"request_id": self.ids.new(), **fields}
        again: Callable[[], Awaitable[Any]] = lambda: super(Patient, self).ask(method, **fields)  # noqa: E731
        return await until_answered(again, attempts=100)


@dataclass(slots=True)
class Bank:
    """Two processes of Accounts on one database, and a client of each."""

    house: House
    tellers: Sequence[Patient]

    async def events(self) -> Sequence[Any]:
        """Returns the events of all commits, in the order of the log."""
        return [
            ACCOUNTS.events.decode(event) for commit in await self.house.commits(CONTEXT) for event in commit.events
        ]


@pytest.fixture
async def bank(servers: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Bank]:
    async with house(servers, tmp_path, {"here": CONTEXT, "there": CONTEXT}) as running:
        yield Bank(running, [Patient(running.channel(name), seed=name) for name in ("here", "there")])


async def test_two_captures_of_one_hold_at_two_processes_are_one_posting(bank: Bank) -> None:
    here, there = bank.tellers
    await here.open("a", EACH)
    for _ in range(20):
        hold = (await here.reserve("a", 100)).hold_id
        both = await asyncio.gather(here.capture("a", hold, 100), there.capture("a", hold, 100), return_exceptions=True)
        assert sum(isinstance(one, grpc.aio.AioRpcError) for one in both) == 1
    assert await there.balance("a") == (EACH - 2000, EACH - 2000)


async def test_a_conflict_of_two_processes_is_never_insufficient_funds(bank: Bank) -> None:
    await bank.tellers[0].open("a", 200)
    await asyncio.gather(*(bank.tellers[number % 2].withdraw("a", 1) for number in range(200)))
    assert await bank.tellers[1].balance("a") == (0, 0)
    assert (await refusal(bank.tellers[0].withdraw("a", 1))).reason == "INSUFFICIENT_FUNDS"


async def test_the_books_balance_at_every_position_although_a_process_is_killed(bank: Bank) -> None:
    await asyncio.gather(*(bank.tellers[0].open(name, EACH) for name in NAMES))
    watching = asyncio.create_task(_watch(bank))
    moving = asyncio.gather(*(_move(bank, seed) for seed in range(600)))
    await eventually(lambda: _has_commits(bank, 2 * len(NAMES) + 10))
    await bank.house.kill("there")
    moved = await moving
    shown = await eventually(lambda: _all_shown(bank))
    assert shown is not None
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    assert watching.cancelled(), "it read a trial balance that is not zero"
    _balance_at_every_position(await bank.events())
    left = sum([(await bank.tellers[0].balance(name))[0] for name in NAMES])
    assert left == EACH * len(NAMES) - sum(moved)
    contra = next(ledger for ledger in shown.ledgers if ledger.name == "contra:transfers")
    assert contra.credits - contra.debits == sum(moved)


async def _move(bank: Bank, seed: int) -> int:
    """Reserves and captures a part; returns the units that left. The client of the killed process goes elsewhere."""
    dice = random.Random(seed)
    name, units = dice.choice(NAMES), dice.randint(2, 90)
    for teller in (bank.tellers[seed % 2], bank.tellers[0]):
        first, second = (str(uuid.UUID(int=random.Random(f"{seed}-{n}").getrandbits(128), version=4)) for n in (1, 2))
        try:
            async with asyncio.timeout(8):
                hold = (await teller.reserve(name, units, request_id=first)).hold_id
                await teller.capture(name, hold, units // 2, request_id=second)
                return units // 2
        except (TimeoutError, grpc.aio.AioRpcError):
            continue
    raise AssertionError(f"the move {seed} has no outcome")


async def _watch(bank: Bank) -> None:
    """Reads the trial balance all the time; it is one row, so each reading is of one moment."""
    rows = bank.house.stores[CONTEXT].rows(TRIAL_BALANCES)
    while True:
        found = (await rows.load(["EUR"])).get("EUR")
        if found is not None and found.values is not None:
            row: TrialBalance = TRIAL_BALANCES.codec.decode(found.values)
            assert row.difference == 0
        await asyncio.sleep(0)


async def _has_commits(bank: Bank, count: int) -> bool:
    return await bank.house.count(CONTEXT) >= count


async def _all_shown(bank: Bank) -> TrialBalance | None:
    postings = sum(isinstance(event, Posted) for event in await bank.events())
    found = (await bank.house.stores[CONTEXT].rows(TRIAL_BALANCES).load(["EUR"])).get("EUR")
    row: TrialBalance | None = TRIAL_BALANCES.codec.decode(found.values) if found and found.values else None
    return row if row is not None and row.postings == postings else None


def _balance_at_every_position(events: Sequence[Any]) -> None:
    row: TrialBalance | None = None
    for event in events:
        row = trial_balance("EUR", row, event)
        assert row is None or row.difference == 0
