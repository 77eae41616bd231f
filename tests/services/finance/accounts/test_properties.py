"""In any order of commands: events alone give the state, no limit is passed, and every sum is exact."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from treaty.testing.scenarios import assert_folds, carried_out

from services.finance.accounts.domain.account import Account
from services.finance.accounts.domain.correction import Correction
from services.finance.accounts.domain.events import HoldCaptured, HoldExpired, HoldPlaced, HoldReleased, Posted
from services.finance.accounts.domain.interest import Rates
from services.finance.accounts.domain.kinds import Kind, Status
from services.finance.accounts.domain.postings import Contra, Purpose
from services.finance.accounts.projections import TrialBalance, trial_balance
from services.finance.accounts.storage import ACCOUNTS, CORRECTIONS
from services.finance.money import Money
from tests.services.finance.accounts.test_account import LASTS, NOW, eur

Command = Callable[[Account], None]
_KINDS = [
    "credit",
    "return",
    "debit",
    "reserve",
    "capture",
    "release",
    "expire",
    "freeze",
    "unfreeze",
    "close",
    "terms",
    "settle",
    "pay",
    "correct",
    "erase",
]


def _open(account: Account) -> None:
    account.open(
        kind=Kind.CUSTOMER,
        currency="EUR",
        holder_id="h",
        private_ref="r",
        overdraft=300,
        rates=Rates(credit=500, debit=2000),
        now=NOW,
    )


def _command(kind: str, number: int, minutes: int) -> Command:
    now = NOW + timedelta(minutes=minutes * 200)
    id, amount = f"h{number % 7}-{minutes}", eur(number)
    commands: dict[str, Command] = {
        "credit": lambda it: it.credit(amount, Purpose.DEPOSIT, "d", now),
        "return": lambda it: it.credit(amount, Purpose.RETURN, "d", now),
        "debit": lambda it: it.debit(amount, Purpose.WITHDRAWAL, "w", now),
        "reserve": lambda it: it.reserve(id, amount, LASTS, now),
        "capture": lambda it: it.capture(_some(it, number), amount, "t", now),
        "release": lambda it: it.release(_some(it, number), now),
        "expire": lambda it: it.expire(_some(it, number)),
        "freeze": lambda it: it.freeze("why", "ann", now),
        "unfreeze": lambda it: it.unfreeze("why", "ann", now),
        "close": lambda it: it.close(now),
        "terms": lambda it: it.change_terms(overdraft=abs(number), rates=Rates(debit=number % 9), by="ann", now=now),
        "settle": lambda it: it.settle_interest(now),
        "pay": lambda it: it.pay_interest(it.interest_due or now, max(now, it.interest_due or now)),
        "correct": lambda it: it.correct("a/000000000001", eur(-number), Contra.CASH, now),
        "erase": lambda it: it.erase_holder(now),
    }
    return commands[kind]


def _some(account: Account, number: int) -> str:
    holds = account.holds.open
    return holds[number % len(holds)].hold_id if holds else "none"


commands = st.builds(_command, st.sampled_from(_KINDS), st.integers(-5, 400), st.integers(0, 300))


@given(st.lists(commands, max_size=25))
def test_the_events_of_an_account_give_its_state(commands: list[Command]) -> None:
    state, events = carried_out(Account(id="a"), [_open, *commands])
    assert_folds(ACCOUNTS, state, events)


@given(st.lists(commands, max_size=40))
def test_no_limit_is_passed_and_a_closed_account_takes_nothing(commands: list[Command]) -> None:
    state, _ = carried_out(Account(id="a"), [_open])
    for command in commands:
        closed = state.status is Status.CLOSED
        state, events = carried_out(state, [command])
        assert state.available >= 0
        assert state.holds.total >= 0
        assert not (closed and any(isinstance(event, Posted) for event in events))


@given(st.lists(commands, max_size=40))
def test_every_hold_ends_at_most_once_and_postings_add_up_at_every_position(commands: list[Command]) -> None:
    state, events = carried_out(Account(id="a"), [_open, *commands])
    placed = {event.hold.hold_id for event in events if isinstance(event, HoldPlaced)}
    ends = [event.hold_id for event in events if isinstance(event, HoldCaptured | HoldReleased | HoldExpired)]
    assert len(ends) == len(set(ends))
    assert placed - set(ends) == {hold.hold_id for hold in state.holds.open}
    balance, books = 0, None
    for number, event in enumerate((event for event in events if isinstance(event, Posted)), 1):
        balance += event.posting.amount.minor_units
        assert (event.posting.number, event.posting.balance) == (number, balance)
        books = trial_balance("EUR", books, event)
        assert books is not None
        assert books.difference == 0
    assert balance == state.balance


_postings = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(1, 999)), max_size=12)


@given(_postings, st.randoms())
def test_the_trial_balance_does_not_depend_on_the_order_of_the_accounts(
    postings: list[tuple[str, int]], dice: object
) -> None:
    streams: dict[str, list[Posted]] = {}
    accounts: dict[str, Account] = {}
    for id, units in postings:
        account = accounts.setdefault(id, Account(id=id, currency="EUR", status=Status.OPEN))
        account.credit(eur(units), Purpose.DEPOSIT, "d", NOW)
        streams.setdefault(id, []).extend(account.take_recorded())  # type: ignore[arg-type]
    shuffled = _interleaved({id: list(events) for id, events in streams.items()}, dice)
    assert _summed([event for events in streams.values() for event in events]) == _summed(shuffled)


def _interleaved(streams: dict[str, list[Posted]], dice: object) -> list[Posted]:
    order = [id for id, events in streams.items() for _ in events]
    dice.shuffle(order)  # type: ignore[attr-defined]
    return [streams[id].pop(0) for id in order]


def _summed(events: list[Posted]) -> TrialBalance | None:
    row: TrialBalance | None = None
    for event in events:
        row = trial_balance("EUR", row, event)
    return row


def _decide(kind: str, by: str) -> Callable[[Correction], None]:
    commands: dict[str, Callable[[Correction], None]] = {
        "propose": lambda it: it.propose(
            account_id="a", amount=Money(1, "EUR"), contra=Contra.CASH, reason="why", by=by, now=NOW
        ),
        "approve": lambda it: it.approve(by, NOW),
        "decline": lambda it: it.decline(by, "why", NOW),
        "posted": lambda it: it.posted("a/000000000002"),
        "refused": lambda it: it.refused("why"),
    }
    return commands[kind]


_decisions = st.builds(
    _decide,
    st.sampled_from(["propose", "approve", "decline", "posted", "refused"]),
    st.sampled_from(["ann", "bob"]),
)


@given(st.lists(_decisions, max_size=12))
def test_the_events_of_a_correction_give_its_state_and_nobody_approves_alone(
    commands: list[Callable[[Correction], None]],
) -> None:
    state, events = carried_out(Correction(id="p"), commands)
    assert_folds(CORRECTIONS, state, events)
    if state.posting_id:
        assert state.proposed_by != state.decided_by
