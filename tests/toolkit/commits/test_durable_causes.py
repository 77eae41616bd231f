"""Messages, calls and timers always commit: the commit is their inbox record."""

import asyncio
from dataclasses import replace

import pytest
from treaty.causes import Cause
from treaty.domain import DomainError, Invalid, NotFound, Rejected

from tests.toolkit.bank import Account, Bank, deposit, message, request, withdraw


@pytest.fixture
def bank() -> Bank:
    return Bank()


def _fill_if_empty(account: Account) -> None:
    if account.balance == 0:
        account.deposit(100)


async def test_a_message_that_changes_nothing_is_recorded_all_the_same(bank: Bank) -> None:
    accounts = bank.accounts()
    await accounts.add("ann", deposit(1), cause=request("1"))
    await accounts.change("ann", _fill_if_empty, cause=message("m"))
    assert [commit.causes[0].id for commit in bank.commits] == ["1", "m"]
    assert not bank.commits[1].events


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_late_duplicate_does_not_undo_what_came_after(bank: Bank, elsewhere: bool) -> None:
    accounts = bank.accounts()
    await accounts.add("ann", deposit(1), cause=request("1"))
    first = await accounts.change("ann", _fill_if_empty, cause=message("m"))
    await accounts.change("ann", withdraw(1), cause=request("2"))
    again = await (bank.accounts() if elsewhere else accounts).change("ann", _fill_if_empty, cause=message("m"))
    assert again == first
    assert await bank.balance("ann") == 0


async def test_a_refused_message_is_recorded_and_refused_the_same_way_again(bank: Bank) -> None:
    accounts = bank.accounts()
    await accounts.add("ann", deposit(1), cause=request("1"))
    refusals = []
    for repository in (accounts, accounts, bank.accounts()):
        with pytest.raises(Rejected) as refused:
            await repository.change("ann", withdraw(5), cause=message("m"))
        refusals.append((refused.value.recorded, refused.value.message, refused.value.reason))
        await accounts.change("ann", deposit(10), cause=request(f"more {len(refusals)}"))
    assert refusals == [(True, "5 wanted, 1 there", "INSUFFICIENT_FUNDS")] * 3
    assert await bank.balance("ann") == 31


async def test_a_recorded_refusal_keeps_its_kind_and_field(bank: Bank) -> None:
    accounts = bank.accounts()
    for repository in (accounts, bank.accounts()):
        with pytest.raises(Invalid) as refused:
            await repository.add("ann", deposit(-1), cause=message("m"))
        assert (refused.value.field, refused.value.recorded) == ("amount", True)


async def test_a_message_for_what_does_not_exist_is_refused_for_good(bank: Bank) -> None:
    accounts = bank.accounts()
    with pytest.raises(NotFound) as refused:
        await accounts.change("ann", deposit(1), cause=message("m"))
    assert refused.value.recorded
    with pytest.raises(NotFound):
        await accounts.get("ann")
    await accounts.add("ann", deposit(5), cause=request("1"))
    with pytest.raises(NotFound):
        await accounts.change("ann", deposit(1), cause=message("m"))
    assert await bank.balance("ann") == 5


async def test_messages_and_commands_share_commits_and_each_keeps_its_answer(bank: Bank) -> None:
    accounts = bank.accounts()
    commands = [
        (deposit(5), request("1")),
        (withdraw(9), message("2")),
        (deposit(0), message("3")),
        (withdraw(1), request("4")),
        (withdraw(9), request("5")),
    ]
    asked = [accounts.add("ann", command, cause=cause) for command, cause in commands]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    [commit] = bank.commits
    assert [(cause.id, cause.events, cause.refusal is not None) for cause in commit.causes] == [
        ("1", 1, False),
        ("2", 0, True),
        ("3", 0, False),
        ("4", 1, False),
    ]
    elsewhere = bank.accounts()
    again = [elsewhere.add("ann", command, cause=cause) for command, cause in commands]
    for first, second in zip(outcomes, await asyncio.gather(*again, return_exceptions=True), strict=True):
        assert _seen(first) == _seen(second)


def _seen(outcome: object) -> object:
    return (type(outcome), str(outcome)) if isinstance(outcome, DomainError) else outcome


async def test_a_message_whose_decision_breaks_is_not_recorded(bank: Bank) -> None:
    accounts = bank.accounts()
    await accounts.add("ann", deposit(1), cause=request("1"))
    broken = [True]

    def decide(account: Account) -> None:
        if broken:
            raise RuntimeError("a bug")
        account.deposit(1)

    with pytest.raises(RuntimeError):
        await accounts.change("ann", decide, cause=message("m"))
    broken.clear()
    assert (await accounts.change("ann", decide, cause=message("m"))).state.balance == 2


def webhook(id: str) -> Cause:
    return Cause(id=id, correlation=id, durable=True, continues=True)


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_message_of_another_system_continues_what_began_its_stream(bank: Bank, elsewhere: bool) -> None:
    accounts = bank.accounts()
    await accounts.add("ann", deposit(1), cause=replace(request("Open/1"), correlation="order-7"))
    await accounts.add("ann", deposit(1), cause=replace(request("Deposit/2"), correlation="other"))
    await (bank.accounts() if elsewhere else accounts).change("ann", deposit(1), cause=webhook("w-1"))
    with pytest.raises(Rejected):  # recorded, under the same correlation
        await accounts.change("ann", withdraw(9), cause=webhook("w-2"))
    assert [cause.correlation for commit in bank.commits for cause in commit.causes][2:] == ["order-7", "order-7"]


async def test_a_message_of_another_system_begins_a_stream_under_its_own_name(bank: Bank) -> None:
    accounts = bank.accounts()
    await accounts.add("bob", deposit(1), cause=webhook("w-1"))
    await accounts.add("bob", deposit(1), cause=webhook("w-2"))
    assert [commit.causes[0].correlation for commit in bank.commits] == ["w-1", "w-1"]


async def test_a_stream_that_began_without_a_correlation_is_continued_under_its_first_cause(bank: Bank) -> None:
    accounts = bank.accounts()
    await accounts.add("ann", deposit(1), cause=request("Open/1"))
    await accounts.change("ann", deposit(1), cause=webhook("w-1"))
    assert bank.commits[1].causes[0].correlation == "Open/1"
