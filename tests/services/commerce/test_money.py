"""Money: whole minor units of one currency."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from treaty.domain import Invalid

from services.commerce.money import CURRENCIES, LIMIT, Money, total


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(1250, "GBP"), "12.50 GBP"),
        (Money(5, "EUR"), "0.05 EUR"),
        (Money(-105, "USD"), "-1.05 USD"),
        (Money(1250, "JPY"), "1250 JPY"),
    ],
)
def test_an_amount_reads_as_people_write_it(money: Money, text: str) -> None:
    assert str(money) == text


@pytest.mark.parametrize("currency", ["", "gbp", "XXX", "GBPX"])
def test_a_currency_that_we_do_not_trade_in_is_refused(currency: str) -> None:
    with pytest.raises(Invalid) as refused:
        Money(1, currency)
    assert refused.value.field == "currency"


def test_an_amount_beyond_the_limit_is_refused() -> None:
    assert Money(LIMIT, "GBP").minor_units == LIMIT
    for amount in (LIMIT + 1, -LIMIT - 1):
        with pytest.raises(Invalid) as refused:
            Money(amount, "GBP")
        assert refused.value.field == "minor_units"


def test_currencies_are_never_mixed() -> None:
    with pytest.raises(Invalid):
        Money(1, "GBP") + Money(1, "EUR")


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1), st.sampled_from(sorted(CURRENCIES)))
def test_a_sum_is_exact(amounts: list[int], currency: str) -> None:
    assert total(Money(amount, currency) for amount in amounts) == Money(sum(amounts), currency)
