"""The audit of a bank: silent about a bank that works, and loud about each planted fault."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from finance.transfers.v1 import transfers_service_pb2 as pb
from treaty.testing.world import embedded

from services.finance.accounts.storage import ACCOUNTS
from tests.services.finance.audit import complaints
from tests.services.finance.bank import CONTEXTS, Bank

Logs = tuple[list[dict[str, Any]], list[dict[str, Any]]]


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with embedded(*CONTEXTS) as world:
        yield Bank(world)


def _log(bank: Bank, context: str) -> list[dict[str, Any]]:
    commits = bank.world.stores[context].commits.commits
    return [
        {"stream": one.stream, "version": one.version, "events": [dict(event) for event in one.events]}
        for one in commits
    ]


async def _a_day(bank: Bank) -> Logs:
    """A transfer that completes, one without funds, one that comes back, and a refund."""
    await bank.open(ann=1000, bob=0)
    done = await bank.move(300)
    await bank.move(5000)
    await bank.move(200, payee="nobody")
    await bank.ask("RefundTransfer", transfer_id=done.transfer_id, by="clerk", reason="why")
    await bank.until(done.transfer_id, lambda transfer: transfer.refund == pb.REFUND_STATUS_PAID)
    await bank.move(100)
    await bank.settled()
    return _log(bank, "finance.accounts"), _log(bank, "finance.transfers")


async def test_a_bank_that_works_has_no_complaint(bank: Bank) -> None:
    assert complaints(*(await _a_day(bank))) == []


def _posting(accounts: list[dict[str, Any]], purpose: str) -> Mapping[str, Any]:
    """Removes the first commit that has a posting with this purpose, and returns it."""
    found: dict[str, Any] = next(
        commit
        for commit in accounts
        if any(
            event["type"] == "posted" and event["data"]["posting"]["purpose"] == purpose for event in commit["events"]
        )
    )
    accounts.remove(found)
    return found


def lost_compensation(accounts: list[dict[str, Any]]) -> None:
    _posting(accounts, "return")


def double_credit(accounts: list[dict[str, Any]]) -> None:
    commit = _posting(accounts, "transfer-in")
    accounts.extend([{**commit}, {**commit}])


def hold_never_released(accounts: list[dict[str, Any]]) -> None:
    hold = next(event for commit in accounts for event in commit["events"] if event["type"] == "hold-placed")
    other = {**hold, "data": {**hold["data"], "hold": {**hold["data"]["hold"], "hold_id": "forgotten", "amount": 1}}}
    accounts.append({"stream": ACCOUNTS.stream_of("ann"), "version": 99, "events": [other]})


def beyond_the_limit(accounts: list[dict[str, Any]]) -> None:
    commit = next(one for one in accounts if any(event["type"] == "posted" for event in one["events"]))
    event = next(event for event in commit["events"] if event["type"] == "posted")
    posting = {**event["data"]["posting"], "balance": -1}
    accounts.append({**commit, "version": 99, "events": [{**event, "data": {"posting": posting}}]})


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (lost_compensation, "is left in transit"),
        (double_credit, "'transfer-in'>, 300), 2)"),
        (hold_never_released, "hold forgotten ended 0 times"),
        (beyond_the_limit, "was available in version 99"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_planted_fault_is_found(bank: Bank, plant: Any, found: str) -> None:
    accounts, transfers = await _a_day(bank)
    plant(accounts)
    said = complaints(accounts, transfers)
    assert any(found in sentence for sentence in said), said
