"""The choice of warehouses for the pieces of an order."""

from collections.abc import Collection, Iterator, Mapping

from services.commerce.inventory.domain.values import DEFAULT_WAREHOUSE, AllocatedLine, Lines

Shelves = Mapping[str, int]
"""By warehouse, the available pieces of one SKU."""


def plan(pieces: Mapping[str, int], shelves: Mapping[str, Shelves]) -> Lines:
    """Returns the lines of an order, from few warehouses, because each of them sends a parcel.

    If one warehouse has all pieces of the order, they come from there. Otherwise, the pieces of a SKU come from one
    warehouse if it has enough, preferably from one that sends a parcel already, and else from several: those with the
    most pieces first. Of equals, the default warehouse is the first. If all warehouses together have too few pieces,
    all are expected from the default one, which then refuses.

    Args:
        pieces: the quantity of each SKU.
        shelves: the available pieces of each SKU in every warehouse.
    """
    able = {sku: {name for name, there in shelves[sku].items() if there >= pieces[sku]} for sku in pieces}
    whole = set.intersection(*able.values()) if able else set()
    used = {_first(whole)} if whole else set[str]()
    lines: list[AllocatedLine] = []
    for sku, quantity in pieces.items():
        if able[sku]:
            chosen = {_first(able[sku] & used or able[sku]): quantity}
        else:
            chosen = dict(_split(quantity, shelves[sku]))
        used |= chosen.keys()
        lines += (AllocatedLine(sku=sku, warehouse=name, quantity=some) for name, some in chosen.items())
    return tuple(lines)


def _first(warehouses: Collection[str]) -> str:
    return min(warehouses, key=_rank)


def _rank(warehouse: str) -> tuple[bool, str]:
    return warehouse != DEFAULT_WAREHOUSE, warehouse


def _split(quantity: int, shelf: Shelves) -> Iterator[tuple[str, int]]:
    """Yields the warehouses that have the pieces of one SKU together, and the number of pieces from each."""
    if sum(shelf.values()) < quantity or not shelf:
        yield DEFAULT_WAREHOUSE, quantity
        return
    for warehouse in sorted(shelf, key=lambda name: (-shelf[name], _rank(name))):
        taken = min(quantity, shelf[warehouse])
        quantity -= taken
        if taken:
            yield warehouse, taken
