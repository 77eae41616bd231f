"""Money: whole minor units with the decimals of the currency, and splits that lose nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from treaty.domain import Invalid

from services.finance.money import CURRENCIES, LIMIT, UNITLESS, Money, split


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(1250, "EUR"), "12.50 EUR"),
        (Money(1250, "JPY"), "1250 JPY"),
        (Money(1250, "BHD"), "1.250 BHD"),
        (Money(5, "HUF"), "0.05 HUF"),
        (Money(1, "IQD"), "0.001 IQD"),
        (Money(-105, "MGA"), "-1.05 MGA"),
        (Money(1250, "CLF"), "0.1250 CLF"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(money: Money, text: str) -> None:
    assert str(money) == text


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "ABC", *sorted(UNITLESS)])
def test_an_unknown_currency_and_one_without_a_unit_are_refused(currency: str) -> None:
    with pytest.raises(Invalid) as refused:
        Money(1, currency)
    assert refused.value.field == "currency"


def test_the_table_has_each_currency_once() -> None:
    assert not UNITLESS & CURRENCIES.keys()
    assert {"XAU", "XXX"} <= UNITLESS
    assert set(CURRENCIES.values()) == {0, 2, 3, 4}


def test_an_amount_beyond_the_limit_is_refused() -> None:
    for amount in (LIMIT + 1, -LIMIT - 1):
        with pytest.raises(Invalid) as refused:
            Money(amount, "EUR")
        assert refused.value.field == "minor_units"


@pytest.mark.parametrize(
    ("amount", "weights", "shares"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (1, [1, 1, 1], [1, 0, 0]),
        (10, [1, 0, 2], [3, 0, 7]),
        (777, [480, 297], [480, 297]),
        (0, [1, 2], [0, 0]),
    ],
)
def test_the_units_that_are_left_go_to_the_largest_remainders(
    amount: int, weights: list[int], shares: list[int]
) -> None:
    assert [share.minor_units for share in split(Money(amount, "EUR"), weights)] == shares


@given(st.integers(-LIMIT, LIMIT), st.lists(st.integers(0, 10**6), min_size=1).filter(any))
def test_a_split_loses_nothing_and_no_share_is_off_by_a_unit(amount: int, weights: list[int]) -> None:
    shares = [share.minor_units for share in split(Money(amount, "EUR"), weights)]
    assert sum(shares) == amount
    whole = sum(weights)
    assert all(abs(share * whole - amount * weight) < whole for share, weight in zip(shares, weights, strict=True))


@pytest.mark.parametrize("weights", [[], [0, 0], [2, -1]])
def test_a_split_needs_weights(weights: list[int]) -> None:
    with pytest.raises(Invalid):
        split(Money(100, "EUR"), weights)
