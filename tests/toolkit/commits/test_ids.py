"""Ids of aggregates: new ones are bounded and have no @; old ones of any form are read and changed as before."""

from dataclasses import replace

import pytest
from treaty.domain import Invalid
from treaty.testing.samples import plain_commit

from tests.toolkit.bank import ACCOUNTS, Bank, Deposited, deposit, request


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.mark.parametrize("id", ["joe@2024.example.com", "", "a" * 201, "ä" * 101, "a\nb", "\ud800"])
async def test_a_new_aggregate_with_such_an_id_is_refused_and_nothing_is_written(bank: Bank, id: str) -> None:
    with pytest.raises(Invalid, match="cannot be the id of a new Account"):
        await bank.accounts().add(id, deposit(1), cause=request("1"))
    assert not bank.commits


@pytest.mark.parametrize("id", ["a", "a" * 200, "main/tea", "ä b", "order-1#2!3"])
async def test_other_ids_are_accepted(bank: Bank, id: str) -> None:
    assert (await bank.accounts().add(id, deposit(1), cause=request("1"))).state.balance == 1


async def test_an_aggregate_that_has_such_an_id_already_is_read_and_changed(bank: Bank) -> None:
    old = plain_commit(ACCOUNTS.stream_of("joe@2024"), 1)
    event = ACCOUNTS.events.encode(Deposited(amount=5))
    await bank.store.insert([replace(old, events=[event])])
    accounts = bank.accounts()
    assert (await accounts.get("joe@2024")).state.balance == 5
    assert (await accounts.change("joe@2024", deposit(1), cause=request("2"))).state.balance == 6
    assert (await accounts.add("joe@2024", deposit(1), cause=request("3"))).state.balance == 7
