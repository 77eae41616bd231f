"""The helpers for tests fail when they should: a test that cannot fail is worse than none."""

import pytest
from treaty.domain import Invalid, Rejected
from treaty.testing import eventually
from treaty.testing.scenarios import assert_folds, given, given_facts
from treaty.testing.world import ManualClock, SeededChance, SeededIds

from tests.toolkit.bank import ACCOUNTS, Account, Deposited, Withdrawn, deposit, withdraw


def test_a_scenario_passes_when_the_events_are_those() -> None:
    state = given(Account, "a", [Deposited(amount=3)]).when(withdraw(1)).then([Withdrawn(amount=1)])
    assert state.balance == 2


@pytest.mark.parametrize("events", [[], [Deposited(amount=2)], [Deposited(amount=1), Deposited(amount=1)]])
def test_a_scenario_fails_when_the_events_are_others(events: list[Deposited]) -> None:
    with pytest.raises(AssertionError):
        given(Account, "a").when(deposit(1)).then(events)


def test_a_scenario_fails_when_the_command_is_refused() -> None:
    with pytest.raises(AssertionError, match="it was refused"):
        given(Account, "a").when(withdraw(1)).then([Withdrawn(amount=1)])


def test_a_scenario_fails_when_the_refusal_is_another_or_none() -> None:
    refused = given(Account, "a").when(withdraw(1))
    assert refused.then_raises(Rejected, "INSUFFICIENT_FUNDS").reason == "INSUFFICIENT_FUNDS"
    with pytest.raises(AssertionError):
        refused.then_raises(Invalid)
    with pytest.raises(AssertionError):
        refused.then_raises(Rejected, "ANOTHER")
    with pytest.raises(AssertionError):
        given(Account, "a").when(deposit(1)).then_raises(Rejected)


def test_a_scenario_fails_when_something_happened_that_should_not() -> None:
    given(Account, "a").when(deposit(0)).then_nothing()
    with pytest.raises(AssertionError):
        given(Account, "a").when(deposit(1)).then_nothing()


def test_a_scenario_fails_when_state_is_changed_by_more_than_events() -> None:
    def cheat(account: Account) -> None:
        account.deposit(1)
        account.balance += 1

    with pytest.raises(AssertionError, match="more than its events"):
        given(Account, "a").when(cheat)


def test_a_scenario_does_not_change_what_was_given() -> None:
    past = given(Account, "a", [Deposited(amount=3)])
    for _ in range(2):
        past.when(withdraw(3)).then([Withdrawn(amount=3)])


def test_a_fold_that_differs_fails() -> None:
    assert_folds(ACCOUNTS, Account(id="a", balance=3), [Deposited(amount=3)])
    with pytest.raises(AssertionError):
        assert_folds(ACCOUNTS, Account(id="a", balance=4), [Deposited(amount=3)])


def _count(state: int, fact: object) -> tuple[int, list[object]]:
    return state + 1, [fact] * state


def test_facts_lead_to_commands() -> None:
    assert given_facts(_count, 0, ["a"]).when("b").then(["b"]) == 2
    assert given_facts(_count, 0).when("a").then_nothing() == 1
    with pytest.raises(AssertionError):
        given_facts(_count, 0, ["a"]).when("b").then_nothing()


async def test_waiting_in_vain_fails_and_says_for_what() -> None:
    with pytest.raises(AssertionError, match="lambda: False"):
        await eventually(lambda: False, within=0.01)


async def test_waiting_returns_what_it_waited_for() -> None:
    turns = iter([0, "", None, "here"])

    async def turn() -> object:
        return next(turns)

    assert await eventually(turn) == "here"


def test_a_seed_repeats_itself_and_another_does_not() -> None:
    assert SeededIds("a").new() == SeededIds("a").new() != SeededIds("b").new()
    ids = SeededIds("a")
    assert len({ids.new() for _ in range(100)}) == 100
    jitters = [SeededChance(3).jitter(2.0) for _ in range(2)]
    assert jitters[0] == jitters[1]


def test_chance_spreads_between_half_and_one_and_a_half() -> None:
    chance = SeededChance()
    spread = [chance.jitter(2.0) for _ in range(100)]
    assert all(1.0 <= seconds <= 3.0 for seconds in spread)
    assert max(spread) - min(spread) > 1.5


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock()
    before = clock.now()
    clock.advance(1.5)
    assert (clock.now() - before).total_seconds() == 1.5
