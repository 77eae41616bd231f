"""The audit of a bank: silent about a bank that works, and loud about each planted fault and each untrue answer."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from finance.transfers.v1 import transfers_service_pb2 as pb
from treaty.commits.commit import Commit
from treaty.testing.world import embedded

from scripts.lib.prove.bank.audit import Told, audit, compare, complaints
from scripts.lib.prove.bank.ends import Ends
from scripts.lib.prove.checker import Verdict
from services.finance.accounts.storage import ACCOUNTS
from services.finance.transfers.domain.statuses import Status
from tests.services.finance.bank import CONTEXTS, Bank

Logs = tuple[list[Commit], list[Commit]]


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with embedded(*CONTEXTS, environ={"FRAUD_TIME_ZONE": "UTC"}) as world:
        yield Bank(world)


def _logs(bank: Bank) -> Logs:
    accounts, transfers = (bank.world.stores[f"finance.{name}"].commits.commits for name in ("accounts", "transfers"))
    return list(accounts), list(transfers)


async def _a_day(bank: Bank) -> Sequence[Told]:
    """A transfer that completes, one without funds, one that comes back, and a refund; returns what was told."""
    await bank.open(ann=1000, bob=0)
    done = await bank.move(300)
    ended = [done, await bank.move(5000), await bank.move(200, payee="nobody")]
    await bank.ask("RefundTransfer", transfer_id=done.transfer_id, by="clerk", reason="why")
    await bank.until(done.transfer_id, lambda transfer: transfer.refund == pb.REFUND_STATUS_PAID)
    ended.append(await bank.move(100))
    await bank.settled()
    completed = pb.TRANSFER_STATUS_COMPLETED
    told = [
        Told(
            one.transfer_id,
            initiated="ok",
            end=(Status.COMPLETED if one.status == completed else Status.FAILED, one.code),
        )
        for one in ended
    ]
    told[0].refunded = "ok"
    return told


async def test_a_bank_that_works_has_no_complaint(bank: Bank) -> None:
    told = await _a_day(bank)
    assert complaints(*_logs(bank)) == []
    audited = await audit(bank.world.stores, told, 1000, settled=True)
    assert audited.verdict.faults == []
    assert (audited.transfers, audited.by_end) == (4, {"completed": 2, "insufficient_funds": 1, "not_found": 1})


async def test_money_that_nobody_paid_in_is_found(bank: Bank) -> None:
    audited = await audit(bank.world.stores, await _a_day(bank), 999, settled=True)
    assert audited.verdict.untrue == ["999 were paid in, but the log has 1000"]


def _first(log: list[Commit], event: str, **values: str) -> Commit:
    """Returns the first commit with such an event; `values` are compared with its posting."""
    return next(
        commit
        for commit in log
        for one in commit.events
        if one["type"] == event and all(one["data"]["posting"][name] == value for name, value in values.items())
    )


def _with(commit: Commit, change: Callable[[Any], Mapping[str, Any]]) -> Commit:
    """Returns the commit with its last event changed."""
    return replace(
        commit, events=[*commit.events[:-1], {**commit.events[-1], "data": change(commit.events[-1]["data"])}]
    )


def lost_compensation(accounts: list[Commit], transfers: list[Commit]) -> None:
    accounts.remove(_first(accounts, "posted", purpose="return"))


def double_credit(accounts: list[Commit], transfers: list[Commit]) -> None:
    accounts.append(_first(accounts, "posted", purpose="transfer-in"))


def hold_never_released(accounts: list[Commit], transfers: list[Commit]) -> None:
    hold = next(event for commit in accounts for event in commit.events if event["type"] == "hold-placed")
    other = {**hold, "data": {**hold["data"], "hold": {**hold["data"]["hold"], "hold_id": "forgotten", "amount": 1}}}
    accounts.append(replace(accounts[0], stream=ACCOUNTS.stream_of("ann"), version=99, events=[other]))


def hold_ended_twice(accounts: list[Commit], transfers: list[Commit]) -> None:
    capture = next(event for commit in accounts for event in commit.events if event["type"] == "hold-captured")
    accounts.append(replace(accounts[0], stream=ACCOUNTS.stream_of("ann"), version=99, events=[capture]))


def beyond_the_limit(accounts: list[Commit], transfers: list[Commit]) -> None:
    commit = _first(accounts, "posted")
    accounts.append(_with(commit, lambda data: {"posting": {**data["posting"], "balance": -1}}))


def money_from_nowhere(accounts: list[Commit], transfers: list[Commit]) -> None:
    place = accounts.index(_first(accounts, "posted"))
    accounts[place] = _with(accounts[place], lambda data: {"posting": {**data["posting"], "balance": 1001}})


def credit_of_no_transfer(accounts: list[Commit], transfers: list[Commit]) -> None:
    place = accounts.index(_first(accounts, "posted", purpose="transfer-in"))
    accounts[place] = _with(accounts[place], lambda data: {"posting": {**data["posting"], "reference": "nothing"}})


def credit_of_another_account(accounts: list[Commit], transfers: list[Commit]) -> None:
    place = accounts.index(_first(accounts, "posted", purpose="transfer-in"))
    accounts[place] = replace(accounts[place], stream=ACCOUNTS.stream_of("carol"))


def _of_end(transfers: list[Commit]) -> Commit:
    return next(one for one in transfers if any(event["type"] == "transfer-completed" for event in one.events))


def no_end(accounts: list[Commit], transfers: list[Commit]) -> None:
    transfers.remove(_of_end(transfers))


def two_ends(accounts: list[Commit], transfers: list[Commit]) -> None:
    transfers.append(_of_end(transfers))


def allowance_kept(accounts: list[Commit], transfers: list[Commit]) -> None:
    transfers.remove(
        next(one for one in transfers if any(event["type"] == "allowance-given-back" for event in one.events))
    )


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (lost_compensation, "is left in transit"),
        (double_credit, "gave 300 more than it had taken"),
        (hold_never_released, "hold forgotten of ann has not ended"),
        (hold_ended_twice, "of ann ended 2 times"),
        (beyond_the_limit, "of account ann was available in version"),
        (money_from_nowhere, "the books are off by 1"),
        (credit_of_no_transfer, "nothing gave 300 more than it had taken"),
        (credit_of_another_account, "('carol', 'transfer-in', 300, 1)"),
        (no_end, "is crediting"),
        (two_ends, "ended 2 times"),
        (allowance_kept, "of the allowance of-ann/EUR/"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_planted_fault_is_found(bank: Bank, plant: Any, found: str) -> None:
    await _a_day(bank)
    accounts, transfers = _logs(bank)
    plant(accounts, transfers)
    said = complaints(accounts, transfers)
    assert any(found in sentence for sentence in said), said


@pytest.mark.parametrize(
    ("number", "change", "found"),
    [
        (0, {"end": (Status.FAILED, "FRAUD")}, "a client saw it end as failed FRAUD, but it is completed"),
        (1, {"end": (Status.FAILED, "FRAUD")}, "but it is failed INSUFFICIENT_FUNDS"),
        (0, {"cancelled": "ok"}, "its cancellation was answered with OK, but it is completed"),
        (1, {"refunded": "ok"}, "its refund was answered with OK, but is not in the log"),
        (0, {"initiated": "refused"}, "it was refused, but is in the log"),
        (0, {"refunded": "refused"}, "its refund was refused, but took effect"),
        (0, {"initiated": "unknown"}, "has no answer"),
        (0, {"transfer_id": "another"}, "transfer another was initiated, but is not in the log"),
        (0, {"transfer_id": "another"}, "is in the log, but no client has asked for it"),
    ],
)
async def test_an_answer_that_is_not_true_is_found(bank: Bank, number: int, change: dict[str, Any], found: str) -> None:
    told = list(await _a_day(bank))
    told[number] = replace(told[number], **change)
    told[number].tries.update(InitiateTransfer=1, CancelTransfer=1, RefundTransfer=1)
    ends = Ends(Verdict())
    for commit in _logs(bank)[1]:
        ends.read(commit)
    compare(told, ends, settled=True)
    assert any(found in text for text in ends.found.faults), ends.found.faults
