"""Lost answers, late inserts, a lagging majority and a rollback: nothing is lost, doubled or answered too early."""

import asyncio
from collections.abc import Sequence

import pytest
from treaty.commits.commit import Commit
from treaty.commits.group_commit import GroupCommitLog
from treaty.commits.log import VersionTaken
from treaty.commits.store import Inserted
from treaty.domain import Rejected
from treaty.memory.commits import Fault
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.samples import plain_commit
from treaty.testing.world import SeededChance

from tests.toolkit.bank import Bank, WatchedCommits, balances, deposit, request, withdraw

LOST_ANSWERS = [Fault.APPLIED, Fault.LOST, Fault.LATE]


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.mark.parametrize("fault", LOST_ANSWERS)
async def test_an_append_with_a_lost_answer_is_resolved_to_a_success(bank: Bank, fault: Fault) -> None:
    bank.store.faults.append(fault)
    await bank.log().append(plain_commit("thing-1"))
    assert [commit.id for commit in bank.commits] == [plain_commit("thing-1").id]
    assert bank.probe.counts["treaty.commit.unknown"] == 1


@pytest.mark.parametrize("faults", [[f, g, h] for f in LOST_ANSWERS for g in LOST_ANSWERS for h in LOST_ANSWERS])
async def test_however_often_the_answer_is_lost_there_is_one_effect_and_the_right_answer(
    bank: Bank, faults: list[Fault]
) -> None:
    bank.store.faults.extend(faults)
    accounts = bank.accounts()
    answers = await asyncio.gather(
        accounts.add("ann", deposit(10), cause=request("1")), accounts.add("ann", deposit(5), cause=request("2"))
    )
    withdrawn = await accounts.change("ann", withdraw(15), cause=request("3"))
    assert balances([*answers, withdrawn]) == [10, 15, 0]
    assert await bank.balance("ann") == 0


@pytest.mark.parametrize("faults", [[Fault.APPLIED], [Fault.LOST], [Fault.LATE], [Fault.LATE, Fault.LOST]])
async def test_until_the_outcome_is_known_the_identical_commit_is_sent_again(bank: Bank, faults: list[Fault]) -> None:
    bank.store.faults.extend(faults)
    accounts = bank.accounts()
    first = asyncio.create_task(accounts.add("ann", deposit(10), cause=request("1")))
    await eventually(lambda: bank.store.sent)
    second = asyncio.create_task(accounts.add("ann", deposit(5), cause=request("2")))
    await asyncio.gather(first, second)
    attempts = [commit for commit in bank.store.sent if commit.version == 1]
    assert len(attempts) == len(faults) + 1
    assert all(attempt is attempts[0] for attempt in attempts)


async def test_a_rival_that_won_in_the_meantime_is_not_taken_for_ones_own_commit(bank: Bank) -> None:
    bank.store.rival = plain_commit("thing-1", causes=["rival"], token="rival")
    with pytest.raises(VersionTaken):
        await bank.log().append(plain_commit("thing-1", causes=["mine"], token="mine"))
    assert [commit.token for commit in bank.commits] == ["rival"]


async def test_who_lost_to_a_rival_decides_again_on_what_the_rival_left(bank: Bank) -> None:
    shadow = Bank(seed=100)
    await shadow.accounts().add("ann", deposit(100), cause=request("rival"))
    [bank.store.rival] = shadow.commits
    mine = await bank.accounts().add("ann", deposit(1), cause=request("mine"))
    assert (mine.state.balance, mine.version) == (101, 2)
    assert await bank.balance("ann") == 101


async def test_in_a_batch_with_a_lost_answer_everybody_gets_the_own_outcome(bank: Bank) -> None:
    log = bank.log()
    await log.append(plain_commit("thing-0", token="before"))
    bank.store.faults.append(Fault.APPLIED)
    appends = [log.append(plain_commit(f"thing-{n}", causes=[f"c{n}"])) for n in range(5)]
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    assert isinstance(outcomes[0], VersionTaken)
    assert outcomes[1:] == [None] * 4
    assert len(bank.commits) == 5


async def test_nothing_is_answered_or_built_on_before_a_majority_has_it(bank: Bank) -> None:
    bank.store.faults.append(Fault.LAGGING)
    accounts = bank.accounts()
    first = asyncio.create_task(accounts.add("ann", deposit(10), cause=request("1")))
    await eventually(lambda: bank.probe.counts["treaty.commit.unknown"])
    second = asyncio.create_task(accounts.change("ann", withdraw(10), cause=request("2")))
    await eventually(lambda: bank.probe.counts["treaty.commit.unknown"] >= 3)
    assert not first.done()
    assert not second.done()
    assert {commit.version for commit in bank.store.sent} == {1}
    await bank.store.catch_up()
    assert balances(await asyncio.gather(first, second)) == [10, 0]


async def test_what_was_rolled_back_is_sent_again_before_anything_follows(bank: Bank) -> None:
    bank.store.faults.append(Fault.LAGGING)
    accounts = bank.accounts()
    first = asyncio.create_task(accounts.add("ann", deposit(10), cause=request("1")))
    await eventually(lambda: bank.probe.counts["treaty.commit.unknown"])
    second = asyncio.create_task(accounts.change("ann", deposit(5), cause=request("2")))
    await bank.store.roll_back()
    assert balances(await asyncio.gather(first, second)) == [10, 15]
    assert [(commit.version, commit.causes[0].id) for commit in bank.commits] == [(1, "1"), (2, "2")]


async def test_a_read_never_shows_what_no_majority_has(bank: Bank) -> None:
    accounts, elsewhere = bank.accounts(), bank.accounts()
    await accounts.add("ann", deposit(1), cause=request("1"))
    bank.store.faults.append(Fault.LAGGING)
    writing = asyncio.create_task(accounts.change("ann", deposit(10), cause=request("2")))
    await eventually(lambda: bank.probe.counts["treaty.commit.unknown"])
    assert balances([await accounts.get("ann"), await elsewhere.get("ann")]) == [1, 1]
    await bank.store.catch_up()
    await writing
    assert balances([await accounts.get("ann"), await elsewhere.get("ann")]) == [11, 11]


@pytest.mark.parametrize("kept", [True, False])
async def test_a_refusal_waits_for_what_the_primary_knows_already(bank: Bank, kept: bool) -> None:
    one, other = bank.accounts(), bank.accounts()
    await one.add("ann", deposit(1), cause=request("1"))
    bank.store.faults.append(Fault.LAGGING)
    depositing = asyncio.create_task(one.change("ann", deposit(10), cause=request("2")))
    await eventually(lambda: bank.probe.counts["treaty.commit.unknown"])
    withdrawing = asyncio.create_task(other.change("ann", withdraw(11), cause=request("3")))
    await eventually(lambda: bank.probe.counts["treaty.commit.unknown"] >= 3)
    assert not withdrawing.done()
    if kept:
        await bank.store.catch_up()
        assert (await withdrawing).state.balance == 0
    else:
        bank.store.faults.extend([Fault.LOST] * 3)
        await bank.store.roll_back()
        with pytest.raises(Rejected):
            await withdrawing
    await depositing


class BrokenCommits(WatchedCommits):
    """Has a fault in its code."""

    broken = True

    async def insert(self, commits: Sequence[Commit]) -> Sequence[Inserted]:
        if self.broken:
            raise OverflowError("an int does not fit")
        return await super().insert(commits)


async def test_a_fault_of_the_store_is_told_to_whoever_waits_and_the_log_goes_on() -> None:
    store = BrokenCommits()
    bank = Bank(store)
    accounts = bank.accounts()
    adding = [accounts.add(name, deposit(1), cause=request("1")) for name in ("ann", "bob")]
    outcomes = await asyncio.wait_for(asyncio.gather(*adding, return_exceptions=True), 20)
    assert [type(outcome) for outcome in outcomes] == [OverflowError, OverflowError]
    store.broken = False
    assert (await accounts.add("ann", deposit(1), cause=request("1"))).state.balance == 1


async def test_no_more_batches_are_on_their_way_than_allowed_and_none_is_larger(bank: Bank) -> None:
    log = GroupCommitLog(
        bank.store, surroundings=Surroundings(chance=SeededChance(), probe=bank.probe), in_flight=1, batch=7
    )
    await asyncio.gather(*(log.append(plain_commit(f"thing-{n}")) for n in range(30)))
    assert bank.probe.measures["treaty.commit.batch"] == [7, 7, 7, 7, 2]
