"""The stock of one SKU in every warehouse, from the read model, which may be out of date."""

from collections.abc import Sequence

from treaty.projections import Key, Page, View

from services.commerce.inventory.projections import StockRow

_PAGE = 200


async def levels_of(stock_rows: View[StockRow], sku: str) -> Sequence[StockRow]:
    """Returns the rows of a SKU, of all warehouses."""
    levels: list[StockRow] = []
    after: Key | None = None
    while True:
        rows, after = await stock_rows.page({"sku": sku}, Page(size=_PAGE, after=after))
        levels += rows
        if after is None:
            return levels
