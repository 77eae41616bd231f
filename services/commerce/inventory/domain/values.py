"""The values that stock, allocations and warehouses consist of."""

from dataclasses import dataclass
from enum import StrEnum

DEFAULT_WAREHOUSE = "main"


def stock_id(warehouse: str, sku: str) -> str:
    """Returns the id of the stock item for a SKU in a warehouse."""
    return f"{warehouse or DEFAULT_WAREHOUSE}/{sku}"


class Release(StrEnum):
    """The reason why an allocation is released."""

    ORDER_CANCELLED = "order_cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocatedLine:
    """Pieces of one SKU for an order, and the warehouse they are in."""

    sku: str
    warehouse: str
    quantity: int

    @property
    def stock_id(self) -> str:
        return stock_id(self.warehouse, self.sku)


Lines = tuple[AllocatedLine, ...]
