"""The use cases of stock items and warehouses, with their commands."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.domain import Call, NotFound
from treaty.projections import FIRST, Key, Page, View

from services.commerce.inventory.domain.batches import end_of
from services.commerce.inventory.domain.events import ItemRegistered, StockEvent, StockReceived
from services.commerce.inventory.domain.stock import StockItem
from services.commerce.inventory.domain.values import DEFAULT_WAREHOUSE, stock_id
from services.commerce.inventory.domain.warehouses import Warehouse
from services.commerce.inventory.projections import StockRow
from services.commerce.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterItem:
    warehouse: str
    sku: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProduct:
    sku: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscontinueProduct:
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowProduct:
    """An item follows its product, which may have been discontinued while the item was being registered."""

    warehouse: str
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageItem:
    warehouse: str
    sku: str
    bar_code: str
    reorder_point: int
    reorder_quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveStock:
    warehouse: str
    sku: str
    quantity: int
    expires_on: str = ""
    unit_cost: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustStock:
    warehouse: str
    sku: str
    delta: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterWarehouse:
    warehouse: str
    name: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOffExpired:
    warehouse: str
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireStock:
    """Pieces whose last day was before `today` are sold no longer."""

    warehouse: str
    sku: str
    today: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStock:
    warehouse: str
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListStock:
    """An item is listed if all conditions hold. A condition that is empty or False always holds."""

    warehouse: str = ""
    sku: str = ""
    to_reorder: bool = False
    page: Page = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """The use cases of stock items and warehouses."""

    items: Repository[StockItem]
    warehouses: Repository[Warehouse]
    stock_rows: View[StockRow]
    clock: Clock

    async def register_item(self, command: RegisterItem) -> Committed[StockItem]:
        """Registers a SKU in a warehouse. If its product is discontinued, it is not reordered there either."""
        discontinued = await self._is_discontinued(command.sku)

        def decide(item: StockItem) -> None:
            item.register(warehouse=command.warehouse, sku=command.sku, description=command.description)
            if discontinued:
                item.discontinue(warehouse=command.warehouse, sku=command.sku)

        return await self.items.add(stock_id(command.warehouse, command.sku), decide)

    async def list_product(self, command: ListProduct) -> Committed[StockItem]:
        """Creates the item of a product of the catalogue in the default warehouse."""
        return await self.items.add(
            stock_id(DEFAULT_WAREHOUSE, command.sku),
            lambda item: item.list_product(warehouse=DEFAULT_WAREHOUSE, sku=command.sku, name=command.name),
        )

    async def discontinue_product(self, command: DiscontinueProduct) -> Committed[StockItem]:
        """Ends the reorders of a product in every warehouse.

        The item of the default warehouse is the first, because items that are registered from then on follow it.
        """
        main = await self._discontinue(DEFAULT_WAREHOUSE, command.sku)
        for row in await self.stock_rows.every({"sku": command.sku}):
            if row.warehouse != DEFAULT_WAREHOUSE:
                await self._discontinue(row.warehouse, command.sku)
        return main

    async def follow_product(self, command: FollowProduct) -> None:
        """Ends the reorders of an item if its product is discontinued."""
        if await self._is_discontinued(command.sku):
            await self._discontinue(command.warehouse, command.sku)

    async def manage_item(self, command: ManageItem) -> Committed[StockItem]:
        """Sets the bar code, the reorder point and the reorder quantity of an item."""
        return await self.items.change(
            stock_id(command.warehouse, command.sku),
            lambda item: item.manage(
                bar_code=command.bar_code,
                reorder_point=command.reorder_point,
                reorder_quantity=command.reorder_quantity,
            ),
        )

    async def receive_stock(self, command: ReceiveStock) -> Committed[StockItem]:
        """Adds received pieces to an item."""
        return await self.items.change(
            stock_id(command.warehouse, command.sku),
            lambda item: item.receive(command.quantity, expires_on=command.expires_on, unit_cost=command.unit_cost),
        )

    async def adjust_stock(self, command: AdjustStock) -> Committed[StockItem]:
        """Corrects the number of pieces on hand."""
        id = stock_id(command.warehouse, command.sku)
        return await self.items.change(id, lambda item: item.adjust(command.delta, command.reason))

    async def expire_stock(self, command: ExpireStock) -> Committed[StockItem]:
        """Takes expired pieces out of what can be sold. They stay on hand until they are written off."""
        id = stock_id(command.warehouse, command.sku)
        return await self.items.change(id, lambda item: item.expire(command.today))

    async def write_off_expired(self, command: WriteOffExpired) -> Committed[StockItem]:
        """Removes the expired pieces of an item from the stock."""
        today = self.clock.now().date().isoformat()
        id = stock_id(command.warehouse, command.sku)
        return await self.items.change(id, lambda item: item.write_off(today))

    async def register_warehouse(self, command: RegisterWarehouse) -> Committed[Warehouse]:
        return await self.warehouses.add(
            command.warehouse, lambda warehouse: warehouse.register(name=command.name, country=command.country)
        )

    async def get_stock(self, query: GetStock) -> Committed[StockItem]:
        """Returns one stock item."""
        return await self.items.get(stock_id(query.warehouse, query.sku))

    async def list_stock(self, query: ListStock) -> tuple[list[StockRow], Key | None]:
        """Returns a page of stock items, sorted by SKU, and the key of the next page, or None at the end."""
        where = {"warehouse": query.warehouse, "sku": query.sku, "to_reorder": query.to_reorder}
        return await self.stock_rows.page({name: value for name, value in where.items() if value}, query.page)

    async def _is_discontinued(self, sku: str) -> bool:
        try:
            return (await self.items.get(stock_id(DEFAULT_WAREHOUSE, sku))).state.discontinued
        except NotFound:
            return False

    async def _discontinue(self, warehouse: str, sku: str) -> Committed[StockItem]:
        return await self.items.add(
            stock_id(warehouse, sku), lambda item: item.discontinue(warehouse=warehouse, sku=sku)
        )


LISTED = timedelta(minutes=1)
"""The time after which the read model shows a new item, so that the end of its product finds it there."""


def follow_products(item: StockItem, event: StockEvent) -> Iterator[Call]:
    """Policy: looks at the product of a new item once more, because it may be discontinued at the same time."""
    match event:
        case ItemRegistered() if event.warehouse != DEFAULT_WAREHOUSE:
            yield Call(FollowProduct(warehouse=event.warehouse, sku=event.sku), after=LISTED)
        case _:
            return


def expire_pieces(item: StockItem, event: StockEvent) -> Iterator[Call]:
    """Policy: sets the moment at which the last day of received pieces is over."""
    match event:
        case StockReceived() if event.expires_on:
            end = end_of(event.expires_on)
            if end is not None:
                today = end.date().isoformat()
                yield Call(ExpireStock(warehouse=item.warehouse, sku=item.sku, today=today), due=end)
        case _:
            return
