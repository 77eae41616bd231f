"""The read model of Inventory: the stock of every SKU in every warehouse."""

from dataclasses import dataclass, replace

from services.commerce.inventory.domain.batches import Batches, Holds
from services.commerce.inventory.domain.events import ItemRegistered, StockEvent
from services.commerce.inventory.domain.stock import StockItem
from services.commerce.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class StockRow:
    """A stock item in a list. `rank` sorts the rows by SKU, then by warehouse."""

    rank: str
    warehouse: str
    sku: str
    description: str = ""
    on_hand: int = 0
    reserved: int = 0
    available: int = 0
    registered: bool = False
    bar_code: str = ""
    reorder_point: int = 0
    reorder_quantity: int = 0
    unit_cost: Money | None = None
    batches: Batches = ()
    holds: Holds = ()
    today: str = ""
    expired: int = 0
    discontinued: bool = False
    reordered: bool = False
    to_reorder: bool = False


def stock_level(id: str, row: StockRow | None, event: StockEvent) -> StockRow | None:
    """Projects an event of a stock item onto its row, by applying the event to the aggregate."""
    if row is None and not isinstance(event, ItemRegistered):
        return None
    item = _item(id, row)
    item.evolve(event)
    return _row(item)


def _item(id: str, row: StockRow | None) -> StockItem:
    item = StockItem(id=id)
    if row is None:
        return item
    names = set(StockRow.__dataclass_fields__) - {"rank", "available", "expired", "to_reorder"}
    return replace(item, **{name: getattr(row, name) for name in names})


def _row(item: StockItem) -> StockRow:
    return StockRow(
        rank=f"{item.sku} {item.warehouse}",
        warehouse=item.warehouse,
        sku=item.sku,
        description=item.description,
        on_hand=item.on_hand,
        reserved=item.reserved,
        available=item.available,
        registered=item.registered,
        bar_code=item.bar_code,
        reorder_point=item.reorder_point,
        reorder_quantity=item.reorder_quantity,
        unit_cost=item.unit_cost,
        batches=item.batches,
        holds=item.holds,
        today=item.today,
        expired=item.expired,
        discontinued=item.discontinued,
        reordered=item.reordered,
        to_reorder=item.runs_low,
    )
