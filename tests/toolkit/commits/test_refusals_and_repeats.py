"""A refusal is never built on old news, and a repeat gets the first answer."""

import asyncio

import pytest
from treaty.commits.streams import RequestReused
from treaty.domain import NotFound, Rejected
from treaty.memory.commits import Fault
from treaty.testing import eventually

from tests.toolkit.bank import Account, Bank, balances, deposit, request, withdraw


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_the_repeat_of_a_withdrawal_that_succeeded_is_not_refused(bank: Bank, elsewhere: bool) -> None:
    accounts = bank.accounts()
    await accounts.add("ann", deposit(10), cause=request("1"))
    first = await accounts.change("ann", withdraw(10), cause=request("2"))
    again = await (bank.accounts() if elsewhere else accounts).change("ann", withdraw(10), cause=request("2"))
    assert again == first
    assert len(bank.commits) == 2


async def test_a_repeat_that_could_take_effect_again_does_not(bank: Bank) -> None:
    accounts = bank.accounts()
    first = await accounts.add("ann", deposit(10), cause=request("1"))
    await accounts.change("ann", deposit(7), cause=request("2"))
    assert await accounts.change("ann", deposit(10), cause=request("1")) == first
    assert await bank.balance("ann") == 17


async def test_a_stale_cache_does_not_refuse_what_is_possible_by_now(bank: Bank) -> None:
    one, other = bank.accounts(), bank.accounts()
    await one.add("ann", deposit(1), cause=request("1"))
    await other.change("ann", deposit(10), cause=request("2"))
    assert (await one.change("ann", withdraw(11), cause=request("3"))).state.balance == 0


async def test_a_stale_cache_does_not_overlook_an_aggregate_that_exists_by_now(bank: Bank) -> None:
    one, other = bank.accounts(), bank.accounts()
    with pytest.raises(NotFound):
        await one.change("ann", deposit(1), cause=request("1"))
    await other.add("ann", deposit(10), cause=request("2"))
    assert (await one.change("ann", deposit(1), cause=request("3"))).state.balance == 11


async def test_a_stale_cache_does_not_accept_what_is_impossible_by_now(bank: Bank) -> None:
    one, other = bank.accounts(), bank.accounts()
    await one.add("ann", deposit(10), cause=request("1"))
    await other.change("ann", withdraw(10), cause=request("2"))
    with pytest.raises(Rejected):
        await one.change("ann", withdraw(10), cause=request("3"))
    assert await bank.balance("ann") == 0


async def test_a_refused_command_writes_nothing_and_may_be_evaluated_again(bank: Bank) -> None:
    accounts = bank.accounts()
    await accounts.add("ann", deposit(1), cause=request("1"))
    with pytest.raises(Rejected) as refused:
        await accounts.change("ann", withdraw(10), cause=request("2"))
    assert not refused.value.recorded
    assert len(bank.commits) == 1
    await accounts.change("ann", deposit(9), cause=request("3"))
    assert (await accounts.change("ann", withdraw(10), cause=request("2"))).state.balance == 0


async def test_a_command_that_changes_nothing_writes_nothing(bank: Bank) -> None:
    accounts = bank.accounts()
    before = await accounts.add("ann", deposit(1), cause=request("1"))
    answer = await accounts.change("ann", deposit(0), cause=request("2"))
    assert (answer.state, answer.revision, list(answer.events)) == (before.state, before.revision, [])
    assert len(bank.commits) == 1


async def test_a_refusal_waits_for_the_commit_that_it_was_decided_on(bank: Bank) -> None:
    accounts = bank.accounts()
    await accounts.add("ann", deposit(10), cause=request("0"))
    bank.store.faults.append(Fault.LAGGING)
    first = asyncio.create_task(accounts.change("ann", withdraw(10), cause=request("1")))
    refused = asyncio.create_task(accounts.change("ann", withdraw(1), cause=request("2")))
    await eventually(lambda: bank.probe.counts["treaty.commit.unknown"] >= 3)
    assert not refused.done()
    await bank.store.catch_up()
    assert (await first).state.balance == 0
    with pytest.raises(Rejected):
        await refused


async def test_an_answer_without_effect_names_the_commit_that_it_stands_on(bank: Bank) -> None:
    accounts = bank.accounts()
    await accounts.add("ann", deposit(1), cause=request("0"))
    before, first, after = await asyncio.gather(
        accounts.change("ann", deposit(0), cause=request("1")),
        accounts.change("ann", deposit(4), cause=request("2")),
        accounts.change("ann", deposit(0), cause=request("3")),
    )
    assert [(answer.state.balance, answer.version) for answer in (before, first, after)] == [(1, 1), (5, 2), (5, 2)]


async def test_a_repeat_with_another_body_is_refused(bank: Bank) -> None:
    accounts = bank.accounts()
    await accounts.add("ann", deposit(1), cause=request("1", digest="a"))
    for repository in (accounts, bank.accounts()):
        with pytest.raises(RequestReused):
            await repository.add("ann", deposit(2), cause=request("1", digest="b"))
    assert await bank.balance("ann") == 1


async def test_a_repeat_with_another_body_is_refused_while_the_first_is_on_its_way(bank: Bank) -> None:
    accounts = bank.accounts()
    first = accounts.add("ann", deposit(1), cause=request("1", digest="a"))
    second = accounts.add("ann", deposit(2), cause=request("1", digest="b"))
    answer, refusal = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(refusal, RequestReused)
    assert not isinstance(answer, BaseException)
    assert answer.state.balance == 1


async def test_one_request_id_takes_effect_once_on_each_aggregate(bank: Bank) -> None:
    accounts = bank.accounts()
    for name in ("ann", "bob", "ann"):
        await accounts.add(name, deposit(1), cause=request("1"))
    assert [await bank.balance(name) for name in ("ann", "bob")] == [1, 1]


async def test_repeats_of_combined_commands_each_get_their_own_answer(bank: Bank) -> None:
    commands = [deposit(10), deposit(5), withdraw(12), deposit(0), deposit(100)]
    accounts = bank.accounts()
    asked = [accounts.add("ann", command, cause=request(str(n))) for n, command in enumerate(commands)]
    first = await asyncio.gather(*asked)
    assert balances(first) == [10, 15, 3, 3, 103]
    assert len(bank.commits) == 1
    elsewhere = bank.accounts()
    again = [elsewhere.add("ann", command, cause=request(str(n))) for n, command in enumerate(commands) if n != 3]
    assert list(await asyncio.gather(*again)) == [answer for n, answer in enumerate(first) if n != 3]
    assert await bank.balance("ann") == 103


async def test_repeats_of_later_commits_are_answered_from_the_state_before_them(bank: Bank) -> None:
    accounts = bank.accounts()
    first = [await accounts.add("ann", deposit(n), cause=request(str(n))) for n in range(1, 6)]
    again = [await bank.accounts().add("ann", deposit(n), cause=request(str(n))) for n in range(1, 6)]
    assert again == first


async def test_all_repeats_of_a_batch_are_found_with_one_look(bank: Bank) -> None:
    accounts = bank.accounts()
    await asyncio.gather(*(accounts.add("ann", deposit(1), cause=request(str(n))) for n in range(20)))
    bank.store.lookups = 0
    elsewhere = bank.accounts()
    again = await asyncio.gather(*(elsewhere.add("ann", deposit(1), cause=request(str(n))) for n in range(20)))
    assert balances(again) == list(range(1, 21))
    assert bank.store.lookups == 1


async def test_new_commands_among_repeats_take_effect_once(bank: Bank) -> None:
    accounts = bank.accounts()
    await asyncio.gather(*(accounts.add("ann", deposit(1), cause=request(str(n))) for n in range(0, 20, 2)))
    mixed = [accounts.add("ann", deposit(1), cause=request(str(n))) for n in range(20)]
    assert sorted(balances(await asyncio.gather(*mixed))) == list(range(1, 21))
    assert await bank.balance("ann") == 20


async def test_an_answer_is_not_changed_by_what_comes_later(bank: Bank) -> None:
    accounts = bank.accounts()
    first = await accounts.add("ann", deposit(1), cause=request("1"))
    await accounts.change("ann", deposit(1), cause=request("2"))
    assert first.state == Account(id="ann", balance=1)
