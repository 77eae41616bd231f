"""An answer of Accounts that is lost: the same question is asked again, and nothing is guessed."""

from collections.abc import AsyncIterator

import pytest
from finance.transfers.v1 import transfers_service_pb2 as pb
from treaty.memory.commits import Fault, MemoryCommits
from treaty.testing import eventually
from treaty.testing.world import embedded

from scripts.lib.prove.bank.audit import complaints
from tests.services.finance.bank import CONTEXTS, Bank

pytestmark = pytest.mark.slow

COMPLETED, FAILED = pb.TRANSFER_STATUS_COMPLETED, pb.TRANSFER_STATUS_FAILED


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with embedded(*CONTEXTS, environ={"TRANSFERS_LARGE": "1", "FRAUD_TIME_ZONE": "UTC"}) as world:
        yield Bank(world)


def _accounts(bank: Bank) -> MemoryCommits:
    return bank.world.stores["finance.accounts"].commits


async def _approved(bank: Bank, payee: str = "bob") -> str:
    """Initiates a transfer, and approves it; its capture and its credit follow."""
    await bank.open(ann=1000)
    if payee == "bob":
        await bank.teller.open("bob")
    transfer_id = await bank.initiate(300, payee=payee)
    await bank.reach(transfer_id, pb.TRANSFER_STATUS_AWAITING_APPROVAL)
    return transfer_id


async def _asked_again(bank: Bank) -> bool:
    """Returns whether a step of a transfer had no answer in time, and waits to be made again."""
    items = await bank.world.stores["finance.transfers"].pending.find(50)
    return any(item.attempts > 0 for item in items)


async def _sound(bank: Bank) -> bool:
    accounts, transfers = (bank.world.stores[f"finance.{name}"].commits.commits for name in ("accounts", "transfers"))
    return not complaints(accounts, transfers)


@pytest.mark.parametrize("booked", [True, False])
@pytest.mark.parametrize("step", ["capture", "credit"])
async def test_a_step_without_an_answer_takes_effect_once_whether_it_was_booked_or_not(
    bank: Bank, step: str, booked: bool
) -> None:
    transfer_id = await _approved(bank)
    before = [] if step == "capture" else [None]
    _accounts(bank).faults.extend([*before, Fault.LAGGING])  # type: ignore[list-item]
    await bank.ask("ApproveTransfer", transfer_id=transfer_id, by="chief")
    await eventually(lambda: _accounts(bank).lagging)
    await eventually(lambda: _asked_again(bank))
    assert (await bank.get(transfer_id)).status in (pb.TRANSFER_STATUS_CAPTURING, pb.TRANSFER_STATUS_CREDITING)
    if booked:
        await _accounts(bank).catch_up()
    else:
        await _accounts(bank).roll_back()
    done = await bank.reach(transfer_id, COMPLETED)
    assert (done.code, done.parked) == ("", False)
    assert await bank.balances("ann", "bob") == [(700, 700), (300, 300)]
    await eventually(lambda: _sound(bank))


@pytest.mark.parametrize("fault", [Fault.APPLIED, Fault.LOST, Fault.LATE])
async def test_a_refusal_whose_answer_is_lost_is_the_same_refusal_later(bank: Bank, fault: Fault) -> None:
    transfer_id = await _approved(bank, payee="carol")
    _accounts(bank).faults.extend([None, fault])  # type: ignore[list-item]
    await bank.ask("ApproveTransfer", transfer_id=transfer_id, by="chief")
    failed = await bank.reach(transfer_id, FAILED)
    assert failed.code == "NOT_FOUND"
    await bank.teller.open("carol")
    assert await bank.balances("ann", "carol") == [(1000, 1000), (0, 0)]
    await eventually(lambda: _sound(bank))
