"""Interest: by the day, exact, and never beyond the limit."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given as always
from hypothesis import strategies as st
from treaty.domain import Rejected
from treaty.testing.scenarios import given

from services.finance.accounts.domain.account import Account
from services.finance.accounts.domain.events import AccountClosed, InterestReckoned, Posted
from services.finance.accounts.domain.interest import UNIT, Rates, next_month, whole_units
from services.finance.accounts.domain.postings import Contra, Purpose
from services.finance.money import Money
from tests.services.finance.accounts.test_account import NOW, debit, opened, posted, reserve

DAY = timedelta(days=1)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "following"),
    [
        (datetime(2026, 1, 31, 23, 59, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
    ],
)
def test_interest_is_due_at_the_beginning_of_the_next_month(at: datetime, following: datetime) -> None:
    assert next_month(at) == following


def test_a_year_at_one_percent_earns_one_percent() -> None:
    account = given(Account, "a", [opened(rates=Rates(credit=100)), posted(1_000_000, 1_000_000)])
    after = account.when(lambda it: it.settle_interest(NOW + 365 * DAY)).state
    assert (after.balance, after.accrued) == (1_010_000, 0)


def test_interest_is_posted_once_when_it_is_due_and_the_rest_is_kept() -> None:
    account = given(Account, "a", [opened(rates=Rates(credit=100)), posted(100_000, 100_000)])
    earned = 100_000 * 100 * 26  # the ends of 6 to 31 May
    paid = account.when(lambda it: it.pay_interest(JUNE, JUNE))
    state = paid.then(
        [
            InterestReckoned(amount=earned // UNIT, until=JUNE, interest_due=JULY),
            posted(71, 100_071, 2, Purpose.INTEREST, Contra.INTEREST, "interest/2026-06-01", at=JUNE),
        ]
    )
    assert state.accrued == earned % UNIT
    given(Account, "a", [*account.past, *paid.events]).when(lambda it: it.pay_interest(JUNE, JUNE)).then_nothing()


def test_a_run_that_comes_late_is_made_up_for_month_by_month() -> None:
    account = Account(id="a")
    for event in (opened(rates=Rates(credit=100)), posted(10**6, 10**6)):
        account.evolve(event)
    august = datetime(2026, 8, 3, tzinfo=UTC)
    account.pay_interest(JUNE, august)
    assert account.interest_due == JULY
    account.pay_interest(JULY, august)
    assert account.interest_due == datetime(2026, 8, 1, tzinfo=UTC)
    assert [event.amount for event in account.take_recorded() if isinstance(event, InterestReckoned)] == [712, 1726]


def test_overdraft_interest_never_passes_the_limit_and_what_is_not_charged_stays_due() -> None:
    account = given(Account, "a", [opened(overdraft=1000, rates=Rates(debit=10_000))]).when(debit(990)).state
    account.settle_interest(NOW + 365 * DAY)
    assert (account.balance, account.available, whole_units(account.accrued)) == (-1000, 0, -980)


def test_held_money_is_not_charged_as_interest() -> None:
    account = given(Account, "a", [opened(overdraft=1000, rates=Rates(debit=10_000)), posted(-500, -500)]).state
    reserve("h", 500, NOW + 365 * DAY)(account)
    account.settle_interest(NOW + 365 * DAY)
    assert (account.balance, account.available) == (-500, 0)


def test_an_account_with_interest_to_settle_is_not_closed() -> None:
    rich = [opened(rates=Rates(credit=100)), posted(10**6, 10**6)]
    account = given(Account, "a", rich).when(debit(10**6, NOW + 30 * DAY)).state
    with pytest.raises(Rejected, match="settle") as refused:
        account.close(NOW + 30 * DAY)
    assert refused.value.reason == "INTEREST_DUE"
    account.settle_interest(NOW + 30 * DAY)
    account.debit(Money(account.balance, "EUR"), Purpose.WITHDRAWAL, "w", NOW + 30 * DAY)
    account.close(NOW + 30 * DAY)
    assert isinstance(account.take_recorded()[-1], AccountClosed)


def test_without_rates_nothing_is_due() -> None:
    account = given(Account, "a", [opened(), posted(10**6, 10**6)])
    account.when(lambda it: it.pay_interest(JUNE, JUNE)).then_nothing()
    account.when(lambda it: it.settle_interest(JULY)).then_nothing()


@always(st.lists(st.tuples(st.integers(1, 10**7), st.integers(0, 40)), min_size=1, max_size=8), st.integers(0, 2000))
def test_posted_and_accrued_interest_is_exactly_the_sum_over_the_days(steps: list[tuple[int, int]], rate: int) -> None:
    account, now, exact = Account(id="a"), NOW, Fraction(0)
    account.evolve(opened(rates=Rates(credit=rate)))
    for units, days in steps:
        account.credit(Money(units, "EUR"), Purpose.DEPOSIT, "d", now)
        exact += Fraction(account.balance * days * rate, UNIT)
        now += days * DAY
        account.settle_interest(now)
    account.credit(Money(1, "EUR"), Purpose.DEPOSIT, "the last day counts", now)
    paid = sum(
        event.posting.amount.minor_units
        for event in account.take_recorded()
        if isinstance(event, Posted) and event.posting.purpose is Purpose.INTEREST
    )
    assert paid + Fraction(account.accrued, UNIT) == exact
    assert 0 <= account.accrued < UNIT
