"""The choice of warehouses: few parcels, and every order that there are enough pieces for."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.commerce.inventory.domain.plans import plan


def planned(pieces: Mapping[str, int], shelves: Mapping[str, Mapping[str, int]]) -> list[tuple[str, str, int]]:
    return [(line.sku, line.warehouse, line.quantity) for line in plan(pieces, shelves)]


@pytest.mark.parametrize(
    ("shelf", "chosen"),
    [
        ({"main": 4, "north": 9}, {"main": 4}),
        ({"main": 3, "south": 9, "north": 5}, {"north": 4}),
        ({"main": 3, "north": 3}, {"main": 3, "north": 1}),
        ({"main": 1, "north": 3}, {"north": 3, "main": 1}),
        ({"a": 1, "b": 1, "c": 3, "main": 1}, {"c": 3, "main": 1}),
        ({"a": 1, "b": 1, "main": 2, "empty": 0}, {"main": 2, "a": 1, "b": 1}),
        ({"main": 3, "empty": 0}, {"main": 4}),
        ({"north": 3}, {"main": 4}),
        ({}, {"main": 4}),
    ],
)
def test_four_pieces_come_from_as_few_warehouses_as_can_be(shelf: dict[str, int], chosen: dict[str, int]) -> None:
    assert planned({"tea": 4}, {"tea": shelf}) == [("tea", name, some) for name, some in chosen.items()]


def test_an_order_that_one_warehouse_has_whole_is_one_parcel() -> None:
    shelves = {"tea": {"main": 9, "north": 2}, "cup": {"north": 1, "south": 5}}
    assert planned({"tea": 2, "cup": 1}, shelves) == [("tea", "north", 2), ("cup", "north", 1)]


def test_a_warehouse_that_sends_a_parcel_already_sends_more() -> None:
    shelves = {"tea": {"north": 2}, "pot": {"main": 1}, "cup": {"north": 1, "a": 1}}
    assert [name for _, name, _ in planned({"tea": 2, "pot": 1, "cup": 1}, shelves)] == ["north", "main", "north"]


_shelf = st.dictionaries(st.sampled_from(["main", "a", "b", "c"]), st.integers(0, 5), max_size=4)


@given(st.dictionaries(st.sampled_from(["tea", "cup", "pot"]), st.tuples(st.integers(1, 12), _shelf), max_size=3))
def test_an_order_is_planned_whole_and_only_from_what_there_is(order: dict[str, tuple[int, dict[str, int]]]) -> None:
    pieces = {sku: quantity for sku, (quantity, _) in order.items()}
    shelves = {sku: shelf for sku, (_, shelf) in order.items()}
    lines = plan(pieces, shelves)
    assert len({line.stock_id for line in lines}) == len(lines)
    for sku, quantity in pieces.items():
        chosen = {line.warehouse: line.quantity for line in lines if line.sku == sku}
        assert sum(chosen.values()) == quantity
        if sum(shelves[sku].values()) >= quantity:
            assert all(0 < some <= shelves[sku][name] for name, some in chosen.items())
        else:
            assert chosen == {"main": quantity}
