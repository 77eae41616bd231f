"""Lanes: commands on one aggregate are decided one after another, leave together, and spoil nothing for each other."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import pytest
from google.protobuf.wrappers_pb2 import Int64Value
from treaty.commits.commit import Commit, Committed
from treaty.commits.decider import MOST_EFFECTS
from treaty.commits.log import CommitRefused, StoreAway
from treaty.commits.repository import Overloaded
from treaty.commits.store import Inserted
from treaty.concurrency.tasks import Broken
from treaty.domain import Call, Invalid, Rejected
from treaty.memory.commits import Fault
from treaty.testing import eventually

from tests.toolkit.bank import Account, Bank, Deposited, Ring, alarm, announce, balances, deposit, request, withdraw


@pytest.fixture
def bank() -> Bank:
    return Bank()


async def _unknown(bank: Bank) -> None:
    await eventually(lambda: bank.probe.counts["treaty.commit.unknown"])


async def test_callers_with_the_same_id_are_joined(bank: Bank) -> None:
    decided = []

    def once(account: Account) -> None:
        decided.append(account.id)
        account.deposit(5)

    accounts = bank.accounts()
    asked = [asyncio.create_task(accounts.add("ann", once, cause=request("1"))) for _ in range(5)]
    await asyncio.wait(asked)
    assert not any(task.cancelled() for task in asked)
    assert balances([task.result() for task in asked]) == [5] * 5
    assert len(decided) == 1


class Panic(BaseException):
    """As a native library raises it."""


@pytest.mark.parametrize("error", [Panic("out of bounds"), asyncio.CancelledError()], ids=["panic", "cancelled"])
async def test_a_decision_that_panics_is_an_error_for_its_caller_alone(bank: Bank, error: BaseException) -> None:
    def panics(account: Account) -> None:
        raise error

    accounts = bank.accounts()
    first, second, third = await asyncio.gather(
        accounts.add("ann", deposit(5), cause=request("1")),
        accounts.add("ann", panics, cause=request("2")),
        accounts.add("ann", deposit(2), cause=request("3")),
        return_exceptions=True,
    )
    assert isinstance(second, Broken)
    assert [one.state.balance for one in (first, third) if isinstance(one, Committed)] == [5, 7]


async def test_a_store_that_cancels_from_within_leaves_its_callers_with_an_unknown_outcome(bank: Bank) -> None:
    insert, cancelled = bank.store.insert, list[Sequence[Commit]]()

    async def cancels(commits: Sequence[Commit]) -> Sequence[Inserted]:
        if not cancelled:
            cancelled.append(commits)
            raise asyncio.CancelledError
        return await insert(commits)

    bank.store.insert = cancels  # type: ignore[method-assign]
    accounts = bank.accounts()
    with pytest.raises(StoreAway):
        await asyncio.wait_for(accounts.add("ann", deposit(5), cause=request("1")), 5)
    assert balances([await accounts.add("ann", deposit(5), cause=request("1"))]) == [5]


async def test_a_read_that_cancels_from_within_is_an_error_for_its_callers(bank: Bank) -> None:
    accounts = bank.accounts()
    await accounts.add("ann", deposit(5), cause=request("1"))
    log = bank.log()

    async def cancels(stream: str, *, fresh: bool = False) -> Commit | None:
        raise asyncio.CancelledError

    log.head = cancels
    with pytest.raises(Broken):
        await bank.accounts(log=log).change("ann", deposit(5), cause=request("2"))


async def test_sixty_four_callers_on_one_aggregate_share_few_commits(bank: Bank) -> None:
    accounts = bank.accounts()

    async def call(caller: int) -> None:
        for n in range(10):
            await accounts.add("ann", deposit(1), cause=request(f"{caller}/{n}"))

    await asyncio.gather(*(call(caller) for caller in range(64)))
    assert await bank.balance("ann") == 640
    assert len(bank.commits) <= 64


async def test_no_more_commands_share_a_commit_than_allowed(bank: Bank) -> None:
    accounts = bank.accounts(per_commit=8)
    await asyncio.gather(*(accounts.add("ann", deposit(1), cause=request(str(n))) for n in range(20)))
    assert [len(commit.causes) for commit in bank.commits] == [8, 8, 4]


async def test_a_command_with_more_effects_than_a_commit_can_order_is_refused(bank: Bank) -> None:
    def call(count: int) -> Callable[[Account], list[Call]]:
        return lambda account: [Call(Ring(text="x")) for _ in range(count)]

    def publish(account: Account, event: object) -> list[Int64Value]:
        return [Int64Value(value=1)] * account.balance

    accounts = bank.accounts(policies=[publish])
    await accounts.add("ann", deposit(MOST_EFFECTS), cause=request("1"))
    for decide in (deposit(1), call(MOST_EFFECTS + 1)):
        with pytest.raises(Invalid, match=r"10000 (integration events|calls), more than 9999"):
            await accounts.change("ann", decide, cause=request("2"))
    assert len(bank.commits) == 1
    assert len(bank.commits[0].outbox) == MOST_EFFECTS


async def test_commands_whose_effects_do_not_fit_into_one_commit_are_written_in_several(bank: Bank) -> None:
    def call(account: Account) -> list[Call]:
        return [Call(Ring(text="x")) for _ in range(MOST_EFFECTS // 2)]

    accounts = bank.accounts()
    await accounts.add("ann", deposit(1), cause=request("0"))
    await asyncio.gather(*(accounts.change("ann", call, cause=request(str(n))) for n in range(1, 4)))
    assert sum(len(commit.calls) for commit in bank.commits) == 3 * (MOST_EFFECTS // 2)
    assert max(len(commit.calls) for commit in bank.commits) <= MOST_EFFECTS


async def test_two_processes_on_one_aggregate_lose_nothing(bank: Bank) -> None:
    processes = [bank.accounts() for _ in range(3)]
    requests = (processes[n % 3].add("ann", deposit(1), cause=request(str(n))) for n in range(90))
    await asyncio.gather(*requests)
    assert await bank.balance("ann") == 90
    assert bank.probe.counts["treaty.commit.conflicts"] > 0


async def test_a_new_primary_is_asked_for_repeats_only_when_it_shows_what_is_durable(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = bank.log()
    accounts = bank.accounts(log=log)
    await accounts.add("ann", deposit(5), cause=request("1"))
    before = await accounts.change("ann", withdraw(5), cause=request("2"))
    shown = False
    read_head, look_up = log.head, log.caused_by

    async def head(stream: str, *, fresh: bool = False) -> Commit | None:
        nonlocal shown
        await asyncio.sleep(0)
        shown = shown or fresh
        return await read_head(stream, fresh=fresh)

    async def caused_by(stream: str, causes: Sequence[str]) -> Sequence[Commit]:
        return await look_up(stream, causes) if shown else ()

    monkeypatch.setattr(log, "head", head)
    monkeypatch.setattr(log, "caused_by", caused_by)
    repeat = await accounts.change("ann", withdraw(5), cause=request("2"))
    assert (repeat.version, repeat.state.balance) == (before.version, 0)


async def test_a_full_lane_refuses_at_once_and_only_its_own(bank: Bank) -> None:
    accounts = bank.accounts(per_lane=3)
    bank.store.faults.append(Fault.LAGGING)
    first = asyncio.create_task(accounts.add("ann", deposit(1), cause=request("first")))
    await _unknown(bank)
    waiting = [asyncio.create_task(accounts.add("ann", deposit(1), cause=request(str(n)))) for n in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await asyncio.wait_for(accounts.add("ann", deposit(1), cause=request("too many")), 20)
    repeat = asyncio.create_task(accounts.add("ann", deposit(1), cause=request("1")))
    other = asyncio.create_task(accounts.add("bob", deposit(1), cause=request("1")))
    await bank.store.catch_up()
    await asyncio.gather(first, *waiting, repeat, other)
    assert await bank.balance("ann") == 4
    assert (await accounts.add("ann", deposit(1), cause=request("too many"))).state.balance == 5


async def test_a_caller_that_gives_up_does_not_cut_its_commit(bank: Bank) -> None:
    accounts = bank.accounts()
    bank.store.faults.append(Fault.LAGGING)
    caller = asyncio.create_task(accounts.add("ann", deposit(5), cause=request("1")))
    await _unknown(bank)
    caller.cancel()
    await asyncio.wait([caller])
    await bank.store.roll_back()
    await eventually(lambda: bank.commits)
    assert (await accounts.add("ann", deposit(5), cause=request("1"))).version == 1
    assert await bank.balance("ann") == 5


async def test_a_caller_that_gives_up_takes_no_answer_from_the_others(bank: Bank) -> None:
    accounts = bank.accounts()
    bank.store.faults.append(Fault.LAGGING)
    callers = [asyncio.create_task(accounts.add("ann", deposit(5), cause=request("1"))) for _ in range(3)]
    await _unknown(bank)
    callers[0].cancel()
    callers[2].cancel()
    await asyncio.wait([callers[0], callers[2]])
    await bank.store.catch_up()
    assert (await callers[1]).state.balance == 5


async def test_a_command_given_up_while_it_waits_still_takes_effect_once(bank: Bank) -> None:
    accounts = bank.accounts()
    bank.store.faults.append(Fault.LAGGING)
    first = asyncio.create_task(accounts.add("ann", deposit(5), cause=request("1")))
    await _unknown(bank)
    second = asyncio.create_task(accounts.change("ann", deposit(1), cause=request("2")))
    await asyncio.sleep(0)
    second.cancel()
    await bank.store.catch_up()
    await first
    assert (await accounts.change("ann", deposit(1), cause=request("2"))).state.balance == 6
    assert await bank.balance("ann") == 6


def _record_and(error: Exception) -> Iterable[Call]:
    raise error


@pytest.mark.parametrize("error", [ValueError("a bug"), Rejected("no")])
async def test_a_decision_that_raises_after_recording_leaves_nothing_behind(bank: Bank, error: Exception) -> None:
    def half(account: Account) -> Iterable[Call]:
        account.deposit(1000)
        return _record_and(error)

    accounts = bank.accounts(policies=[announce])
    outcomes = await asyncio.gather(
        accounts.add("ann", deposit(1), cause=request("1")),
        accounts.add("ann", half, cause=request("2")),
        accounts.add("ann", deposit(2), cause=request("3")),
        return_exceptions=True,
    )
    assert outcomes[1] is error
    assert balances([outcomes[0], outcomes[2]]) == [1, 3]  # type: ignore[list-item]
    [commit] = bank.commits
    assert [cause.id for cause in commit.causes] == ["1", "3"]
    assert (len(commit.events), len(commit.outbox)) == (2, 2)
    assert (await accounts.get("ann")).state.balance == 3


async def test_a_policy_that_fails_leaves_nothing_behind(bank: Bank) -> None:
    def picky(account: Account, event: object) -> list[Call]:
        if account.balance > 100:
            raise ValueError("a bug")
        return []

    accounts = bank.accounts(policies=[announce, picky])
    outcomes = await asyncio.gather(
        accounts.add("ann", deposit(1), cause=request("1")),
        accounts.add("ann", deposit(1000), cause=request("2")),
        accounts.add("ann", deposit(2), cause=request("3")),
        return_exceptions=True,
    )
    assert isinstance(outcomes[1], ValueError)
    assert await bank.balance("ann") == 3
    assert [len(commit.outbox) for commit in bank.commits] == [2]


async def test_what_is_too_large_together_is_committed_apart(bank: Bank) -> None:
    bank.store.largest = 1
    accounts = bank.accounts()
    answers = await asyncio.gather(*(accounts.add("ann", deposit(1), cause=request(str(n))) for n in range(10)))
    assert balances(answers) == list(range(1, 11))
    assert [len(commit.causes) for commit in bank.commits] == [1] * 10


async def test_what_is_too_large_alone_is_told_so_and_leaves_nothing_behind(bank: Bank) -> None:
    accounts = bank.accounts()
    await accounts.add("ann", deposit(1), cause=request("1"))
    bank.store.largest = 0
    with pytest.raises(CommitRefused):
        await accounts.change("ann", deposit(1), cause=request("2"))
    bank.store.largest = 1
    assert (await accounts.change("ann", deposit(1), cause=request("3"))).state.balance == 2


async def test_policies_run_for_every_command_of_a_combined_commit(bank: Bank) -> None:
    accounts = bank.accounts(policies=[announce, alarm])
    commands = [deposit(10), withdraw(1), withdraw(2)]
    await asyncio.gather(*(accounts.add("ann", c, cause=request(str(n))) for n, c in enumerate(commands)))
    [commit] = bank.commits
    announced = [(outgoing.cause, Int64Value.FromString(outgoing.body).value) for outgoing in commit.outbox]
    assert announced == [(0, 10), (1, 9), (2, 7)]
    assert [(call.cause, call.body["data"]) for call in commit.calls] == [(1, {"text": "1"}), (2, {"text": "2"})]


async def test_the_sequence_counts_the_integration_events_of_a_stream(bank: Bank) -> None:
    accounts = bank.accounts(policies=[announce])
    await asyncio.gather(*(accounts.add("ann", deposit(1), cause=request(str(n))) for n in range(3)))
    await accounts.change("ann", deposit(0), cause=request("nothing"))
    await bank.accounts(policies=[announce]).change("ann", deposit(1), cause=request("last"))
    assert [commit.sequence for commit in bank.commits] == [3, 4]


async def test_a_decision_may_ask_for_calls(bank: Bank) -> None:
    await bank.accounts().add("ann", lambda account: [Call(Ring(text=account.id))], cause=request("1"))
    [commit] = bank.commits
    assert [call.type for call in commit.calls] == ["ring"]
    assert not commit.events


async def test_an_answer_tells_the_events_of_its_own_command(bank: Bank) -> None:
    accounts = bank.accounts()
    answers = await asyncio.gather(*(accounts.add("ann", deposit(n), cause=request(str(n))) for n in (1, 2)))
    assert [list(answer.events) for answer in answers] == [[Deposited(amount=1)], [Deposited(amount=2)]]


async def test_the_cache_is_bounded(bank: Bank) -> None:
    accounts = bank.accounts(cached=2)
    for name in ("ann", "bob", "cat"):
        await accounts.add(name, deposit(1), cause=request(name))
    await bank.accounts().change("ann", deposit(5), cause=request("elsewhere"))
    assert (await accounts.get("ann")).state.balance == 6
    assert len(accounts._writer._heads) <= 2
