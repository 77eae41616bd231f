"""Old and new versions of the code on one stream: snapshots are trusted only by who wrote them, events are upcast."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from treaty.commits.codec import Newer, NotStorable, Shape
from treaty.commits.stored import Stored
from treaty.domain import Aggregate

from tests.toolkit.bank import ACCOUNTS, EVENTS, Account, Bank, Deposited, Withdrawn, deposit, request, withdraw


@dataclass(slots=True, kw_only=True)
class CountingAccount(Aggregate[Deposited | Withdrawn]):
    """The account of the next version: it also counts the deposits."""

    balance: int = 0
    deposits: int = 0

    def deposit(self, amount: int) -> None:
        self.record(Deposited(amount=amount))

    def evolve(self, event: Deposited | Withdrawn) -> None:
        match event:
            case Deposited():
                self.balance += event.amount
                self.deposits += 1
            case Withdrawn():
                self.balance -= event.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """An event of the next version."""


@dataclass(slots=True, kw_only=True)
class FreezingAccount(Aggregate[Any]):
    balance: int = 0
    frozen: bool = False

    def freeze(self) -> None:
        self.record(Frozen())

    def evolve(self, event: Any) -> None:
        match event:
            case Frozen():
                self.frozen = True
            case Deposited():
                self.balance += event.amount


COUNTING: Any = Stored("account", CountingAccount, EVENTS)
FREEZING: Any = Stored("account", FreezingAccount, [*EVENTS, Shape("frozen", Frozen)])


@pytest.fixture
def bank() -> Bank:
    return Bank()


async def test_the_snapshot_of_another_version_is_ignored_and_the_events_folded(bank: Bank) -> None:
    accounts = bank.accounts()
    for n in range(3):
        await accounts.add("ann", deposit(10), cause=request(str(n)))
    next_version: Any = bank.accounts(stored=COUNTING)
    assert (await next_version.get("ann")).state == CountingAccount(id="ann", balance=30, deposits=3)
    changed = await next_version.change("ann", lambda account: account.deposit(1), cause=request("next"))
    assert changed.state == CountingAccount(id="ann", balance=31, deposits=4)


async def test_both_versions_work_side_by_side(bank: Bank) -> None:
    old, new = bank.accounts(), bank.accounts(stored=COUNTING)
    await old.add("ann", deposit(10), cause=request("1"))
    await new.change("ann", lambda account: account.deposit(1), cause=request("2"))
    assert (await old.change("ann", withdraw(11), cause=request("3"))).state.balance == 0
    last: Any = await new.change("ann", lambda account: account.deposit(1), cause=request("4"))
    assert last.state == CountingAccount(id="ann", balance=1, deposits=3)


async def test_a_repeat_is_answered_across_versions(bank: Bank) -> None:
    await bank.accounts().add("ann", deposit(10), cause=request("1"))
    await bank.accounts().add("ann", deposit(5), cause=request("2"))
    again: Any = await bank.accounts(stored=COUNTING).add("ann", deposit(5), cause=request("2"))
    assert again.state == CountingAccount(id="ann", balance=15, deposits=2)


async def test_the_own_snapshot_is_used_instead_of_the_history(bank: Bank) -> None:
    accounts = bank.accounts()
    for n in range(3):
        await accounts.add("ann", deposit(10), cause=request(str(n)))

    async def unread(*args: object, **kwargs: object) -> list[Any]:
        raise AssertionError("the history was read")

    bank.store.read = unread  # type: ignore[method-assign]
    assert (await bank.accounts().get("ann")).state.balance == 30


async def test_an_event_newer_than_the_code_is_never_guessed_at(bank: Bank) -> None:
    new: Any = bank.accounts(stored=FREEZING)
    await new.add("ann", deposit_to_freezing, cause=request("1"))
    await new.change("ann", FreezingAccount.freeze, cause=request("2"))
    old = bank.accounts()
    with pytest.raises(Newer):
        await old.change("ann", withdraw(1), cause=request("3"))
    with pytest.raises(Newer):
        await old.get("ann")
    assert len(bank.commits) == 2


def deposit_to_freezing(account: Any) -> None:
    account.record(Deposited(amount=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositedWithNote:
    amount: int
    note: str


@dataclass(slots=True, kw_only=True)
class NotingAccount(Aggregate[Any]):
    balance: int = 0
    notes: tuple[str, ...] = ()

    def evolve(self, event: Any) -> None:
        self.balance += event.amount
        self.notes = (*self.notes, event.note)


def _add_note(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**data, "note": "before there were notes"}


NOTING: Any = Stored("account", NotingAccount, [Shape("deposited", DepositedWithNote, (_add_note,))])


async def test_events_of_an_older_shape_are_upcast(bank: Bank) -> None:
    await bank.accounts().add("ann", deposit(3), cause=request("1"))
    found: Any = await bank.accounts(stored=NOTING).get("ann")
    assert found.state == NotingAccount(id="ann", balance=3, notes=("before there were notes",))


async def test_an_event_of_a_newer_shape_is_never_guessed_at(bank: Bank) -> None:
    noting: Any = bank.accounts(stored=NOTING)
    await noting.add("ann", _note, cause=request("1"))
    with pytest.raises(Newer):
        await bank.accounts().change("ann", deposit(1), cause=request("2"))


def _note(account: Any) -> None:
    account.record(DepositedWithNote(amount=1, note="hello"))


def test_an_unknown_fingerprint_restores_nothing() -> None:
    snapshot = ACCOUNTS.snapshot(Account(id="ann", balance=3))
    assert ACCOUNTS.restore(snapshot) == Account(id="ann", balance=3)
    assert ACCOUNTS.restore({**snapshot, "shape": "0000000000000000"}) is None


def test_a_stream_name_with_a_dash_is_refused() -> None:
    with pytest.raises(NotStorable, match="first dash"):
        Stored("payment-method", CountingAccount, EVENTS)
