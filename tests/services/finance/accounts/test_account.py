"""The account: holds that end one way, limits that are never passed, and both sides of every posting."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from treaty.domain import Call, Invalid, Rejected
from treaty.testing.scenarios import given

from services.finance.accounts.application.accounts import set_timers
from services.finance.accounts.application.commands import ExpireHold, PayInterest
from services.finance.accounts.domain.account import Account
from services.finance.accounts.domain.events import (
    AccountClosed,
    AccountEvent,
    AccountFrozen,
    AccountOpened,
    HoldCaptured,
    HolderErased,
    HoldExpired,
    HoldPlaced,
    HoldReleased,
    Posted,
)
from services.finance.accounts.domain.holds import MOST_OPEN, REMEMBERED, Hold
from services.finance.accounts.domain.interest import Rates
from services.finance.accounts.domain.kinds import Kind, Status
from services.finance.accounts.domain.postings import Contra, Posting, Purpose
from services.finance.money import LIMIT, Money

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
LASTS = timedelta(minutes=5)
CLOSED = AccountClosed(closed_at=NOW)
FROZEN = AccountFrozen(reason="a court order", by="ann", frozen_at=NOW)
Command = Callable[[Account], None]


def eur(units: int) -> Money:
    return Money(units, "EUR")


def opened(overdraft: int = 0, kind: Kind = Kind.CUSTOMER, rates: Rates | None = None) -> AccountOpened:
    return AccountOpened(
        kind=kind,
        currency="EUR",
        holder_id="h",
        private_ref="r",
        overdraft=overdraft,
        rates=rates or Rates(),
        interest_due=datetime(2026, 6, 1, tzinfo=UTC) if rates else None,
        opened_at=NOW,
    )


def posted(
    units: int,
    balance: int,
    number: int = 1,
    purpose: Purpose = Purpose.DEPOSIT,
    contra: Contra = Contra.CASH,
    reference: str = "d",
    kind: Kind = Kind.CUSTOMER,
    at: datetime = NOW,
) -> Posted:
    return Posted(
        posting=Posting(
            number=number,
            kind=kind,
            amount=eur(units),
            contra=contra,
            purpose=purpose,
            reference=reference,
            balance=balance,
            posted_at=at,
        )
    )


def placed(id: str, units: int, at: datetime = NOW) -> HoldPlaced:
    return HoldPlaced(hold=Hold(hold_id=id, amount=units, expires_at=at + LASTS), lasts=LASTS, placed_at=at)


def reserve(id: str, units: int, at: datetime = NOW) -> Command:
    return lambda account: account.reserve(id, eur(units), LASTS, at)


def capture(id: str, units: int, at: datetime = NOW) -> Command:
    return lambda account: account.capture(id, eur(units), "t", at)


def release(id: str, at: datetime = NOW) -> Command:
    return lambda account: account.release(id, at)


def credit(units: int, purpose: Purpose = Purpose.DEPOSIT) -> Command:
    return lambda account: account.credit(eur(units), purpose, "d", NOW)


def debit(units: int, at: datetime = NOW) -> Command:
    return lambda account: account.debit(eur(units), Purpose.WITHDRAWAL, "w", at)


def close(account: Account) -> None:
    account.close(NOW)


RICH: list[AccountEvent] = [opened(), posted(1000, 1000)]


def test_both_sides_of_a_posting_sum_to_zero() -> None:
    given(Account, "a", [opened()]).when(credit(700)).then([posted(700, 700)])
    [event] = [posted(700, 700)]
    assert event.posting.legs == (("customer", 700), ("contra:cash", -700))


def test_six_holds_of_a_thousand_on_five_thousand_are_five() -> None:
    account = given(Account, "a", [opened(), posted(5000, 5000), *(placed(f"h{n}", 1000) for n in range(5))])
    refused = account.when(reserve("h5", 1000)).then_raises(Rejected, "INSUFFICIENT_FUNDS")
    assert refused.message == "account a has 0.00 EUR available, not 10.00 EUR"


def test_money_on_its_way_in_does_not_count_and_held_money_cannot_be_taken() -> None:
    account = given(Account, "a", [*RICH, placed("h", 400)])
    account.when(debit(601)).then_raises(Rejected, "INSUFFICIENT_FUNDS")
    account.when(debit(600)).then(
        [posted(-600, 400, 2, Purpose.WITHDRAWAL, Contra.CASH, "w")],
    )


def test_a_part_is_captured_and_the_rest_is_free() -> None:
    after = (
        given(Account, "a", [*RICH, placed("h", 400)])
        .when(capture("h", 300))
        .then(
            [
                HoldCaptured(hold_id="h", amount=300),
                posted(-300, 700, 2, Purpose.TRANSFER_OUT, Contra.TRANSFERS, "t"),
            ]
        )
    )
    assert (after.balance, after.available) == (700, 700)


def test_more_than_the_hold_is_not_captured() -> None:
    given(Account, "a", [*RICH, placed("h", 400)]).when(capture("h", 401)).then_raises(Rejected, "CAPTURE_TOO_LARGE")


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (HoldCaptured(hold_id="h", amount=400), "HOLD_CAPTURED"),
        (HoldReleased(hold_id="h"), "HOLD_RELEASED"),
        (HoldExpired(hold_id="h"), "HOLD_EXPIRED"),
    ],
)
def test_a_hold_ends_once_and_a_second_end_is_refused_by_name(end: AccountEvent, reason: str) -> None:
    account = given(Account, "a", [*RICH, placed("h", 400), end])
    account.when(capture("h", 1)).then_raises(Rejected, reason)
    account.when(release("h")).then_raises(Rejected, reason)
    account.when(lambda it: it.expire("h")).then_nothing()


def test_a_capture_after_the_time_is_refused_before_the_sweep_too_and_the_hold_is_shown_gone() -> None:
    account = given(Account, "a", [*RICH, placed("h", 400)])
    account.when(capture("h", 400, LATER)).then_raises(Rejected, "HOLD_EXPIRED")
    account.when(release("h", LATER)).then_raises(Rejected, "HOLD_EXPIRED")
    assert (account.state.available_at(NOW), account.state.available_at(LATER)) == (600, 1000)


def test_money_of_an_overdue_hold_is_freed_by_the_commit_that_uses_it() -> None:
    given(Account, "a", [*RICH, placed("h", 400)]).when(debit(1000, LATER)).then(
        [HoldExpired(hold_id="h"), posted(-1000, 0, 2, Purpose.WITHDRAWAL, Contra.CASH, "w", at=LATER)]
    )
    given(Account, "a", [*RICH, placed("h", 1000)]).when(reserve("i", 1000, LATER)).then(
        [HoldExpired(hold_id="h"), placed("i", 1000, LATER)]
    )


def test_a_hold_that_never_was_is_not_open() -> None:
    given(Account, "a", RICH).when(capture("x", 1)).then_raises(Rejected, "HOLD_NOT_OPEN")


def test_the_overdraft_is_the_limit() -> None:
    account = given(Account, "a", [opened(overdraft=500)])
    account.when(debit(501)).then_raises(Rejected, "INSUFFICIENT_FUNDS")
    after = account.when(debit(500)).then([posted(-500, -500, 1, Purpose.WITHDRAWAL, Contra.CASH, "w")])
    assert after.available == 0


def test_an_overdraft_in_use_is_not_taken_away() -> None:
    used = given(Account, "a", [opened(overdraft=500), placed("h", 300)])
    used.when(_overdraft(299)).then_raises(Rejected, "OVERDRAFT_IN_USE")
    assert used.when(_overdraft(300)).state.available == 0
    used.when(_overdraft(500)).then_nothing()


def _overdraft(units: int) -> Command:
    return lambda it: it.change_terms(overdraft=units, rates=Rates(), by="ann", now=NOW)


def test_the_banks_own_accounts_have_no_limit_and_no_terms() -> None:
    fees = given(Account, "fees", [opened(kind=Kind.FEES)])
    fees.when(debit(900)).then([posted(-900, -900, 1, Purpose.WITHDRAWAL, Contra.CASH, "w", Kind.FEES)])
    fees.when(_overdraft(1)).then_raises(Rejected, "NO_TERMS")
    with pytest.raises(Invalid):
        Account(id="s").open(
            kind=Kind.SUSPENSE, currency="EUR", holder_id="", private_ref="", overdraft=1, rates=Rates(), now=NOW
        )


def test_a_closed_account_takes_nothing_and_its_holds_still_expire() -> None:
    closed = given(Account, "a", [opened(overdraft=500), placed("h", 400), CLOSED])
    for command in (credit(1), debit(1), reserve("i", 1), capture("h", 400), release("h")):
        closed.when(command).then_raises(Rejected, "ACCOUNT_CLOSED")
    closed.when(lambda it: it.expire("h")).then([HoldExpired(hold_id="h")])


def test_only_an_empty_account_is_closed() -> None:
    given(Account, "a", RICH).when(close).then_raises(Rejected, "NOT_EMPTY")
    given(Account, "a", [opened()]).when(close).then([CLOSED])
    given(Account, "a", [opened(), CLOSED]).when(close).then_nothing()


def test_a_frozen_account_moves_nothing_but_gets_its_own_money_back() -> None:
    frozen = given(Account, "a", [*RICH, placed("h", 400), FROZEN])
    for command in (credit(1), credit(1, Purpose.TRANSFER_IN), debit(1), reserve("i", 1), capture("h", 400)):
        frozen.when(command).then_raises(Rejected, "ACCOUNT_FROZEN")
    frozen.when(credit(5, Purpose.RETURN)).then([posted(5, 1005, 2, Purpose.RETURN, Contra.TRANSFERS)])
    frozen.when(release("h")).then([HoldReleased(hold_id="h")])
    frozen.when(lambda it: it.unfreeze("lifted", "ann", NOW))
    assert frozen.when(lambda it: it.unfreeze("lifted", "ann", NOW)).state.status is Status.OPEN


def test_checks_come_in_a_fixed_order_identity_then_hold_then_balance() -> None:
    closed = given(Account, "a", [opened(), CLOSED])
    wrong = Money(10**6, "JPY")
    closed.when(lambda it: it.capture("x", wrong, "t", NOW)).then_raises(Invalid)
    closed.when(capture("x", 10**6)).then_raises(Rejected, "ACCOUNT_CLOSED")
    given(Account, "a", [opened()]).when(capture("x", 10**6)).then_raises(Rejected, "HOLD_NOT_OPEN")
    given(Account, "a", [*RICH, placed("h", 5)]).when(capture("h", 10**6)).then_raises(Rejected, "CAPTURE_TOO_LARGE")


@pytest.mark.parametrize("units", [0, -1])
def test_an_amount_is_positive(units: int) -> None:
    for command in (credit(units), debit(units), reserve("h", units), capture("h", units)):
        refused = given(Account, "a", RICH).when(command).then_raises(Invalid)
        assert refused.field == "amount.minor_units"


def test_another_currency_is_refused_and_the_field_is_named() -> None:
    refused = given(Account, "a", RICH).when(lambda it: it.credit(Money(1, "USD"), Purpose.DEPOSIT, "d", NOW))
    assert refused.then_raises(Invalid).field == "amount.currency"


def test_a_balance_beyond_the_limit_is_refused() -> None:
    given(Account, "a", [opened(), posted(LIMIT, LIMIT)]).when(credit(1)).then_raises(Rejected, "BALANCE_TOO_LARGE")


def test_a_posting_is_never_before_the_one_before_it() -> None:
    early = NOW - timedelta(seconds=3)
    after = given(Account, "a", RICH).when(lambda it: it.credit(eur(1), Purpose.DEPOSIT, "d", early))
    after.then([posted(1, 1001, 2)])


def test_the_state_does_not_grow_with_holds_that_ended() -> None:
    past: list[AccountEvent] = [*RICH]
    for number in range(REMEMBERED + 10):
        past += [placed(f"h{number}", 1), HoldReleased(hold_id=f"h{number}")]
    account = given(Account, "a", past)
    assert (len(account.state.holds.open), len(account.state.holds.ended)) == (0, REMEMBERED)
    account.when(capture("h0", 1)).then_raises(Rejected, "HOLD_NOT_OPEN")
    account.when(capture(f"h{REMEMBERED}", 1)).then_raises(Rejected, "HOLD_RELEASED")


def test_open_holds_are_bounded() -> None:
    full = given(Account, "a", [*RICH, *(placed(f"h{n}", 1) for n in range(MOST_OPEN))])
    full.when(reserve("one more", 1)).then_raises(Rejected, "TOO_MANY_HOLDS")


def test_an_account_is_opened_once_and_its_holder_is_erased_once() -> None:
    again = lambda it: it.open(  # noqa: E731
        kind=Kind.CUSTOMER, currency="EUR", holder_id="h", private_ref="r", overdraft=0, rates=Rates(), now=NOW
    )
    given(Account, "a").when(again).then([opened()])
    given(Account, "a", [opened()]).when(again).then_raises(Rejected, "ACCOUNT_OPEN_ALREADY")
    erased = given(Account, "a", RICH).when(lambda it: it.erase_holder(NOW)).then([HolderErased(erased_at=NOW)])
    assert (erased.private_ref, erased.balance) == ("", 1000)
    given(Account, "a", [*RICH, HolderErased(erased_at=NOW)]).when(lambda it: it.erase_holder(NOW)).then_nothing()


def test_an_account_in_gold_is_not_opened() -> None:
    gold = lambda it: it.open(  # noqa: E731
        kind=Kind.CUSTOMER, currency="XAU", holder_id="h", private_ref="r", overdraft=0, rates=Rates(), now=NOW
    )
    assert given(Account, "a").when(gold).then_raises(Invalid).field == "currency"


def test_a_hold_and_the_interest_set_their_timers() -> None:
    account = Account(id="a")
    assert list(set_timers(account, placed("h", 5))) == [Call(ExpireHold(account_id="a", hold_id="h"), after=LASTS)]
    june = datetime(2026, 6, 1, tzinfo=UTC)
    assert list(set_timers(account, opened(rates=Rates(credit=100)))) == [
        Call(PayInterest(account_id="a", due=june), due=june)
    ]
    assert list(set_timers(account, opened())) == []
