"""The warehouse aggregate, and the ids of stock items, which contain the warehouse."""

from dataclasses import dataclass

from treaty.domain import Aggregate, Rejected

DEFAULT_WAREHOUSE = "main"


def stock_id(warehouse: str, sku: str) -> str:
    """Returns the id of the stock item for a SKU in a warehouse."""
    return f"{warehouse or DEFAULT_WAREHOUSE}/{sku}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WarehouseRegistered:
    name: str
    country: str


@dataclass(slots=True, kw_only=True)
class Warehouse(Aggregate[WarehouseRegistered]):
    """A place that keeps stock. Its id is its short name. Items may also be in a warehouse that is not registered."""

    name: str = ""
    country: str = ""

    def register(self, *, name: str, country: str) -> None:
        if self.country:
            raise Rejected(f"warehouse {self.id} is registered already", reason="WAREHOUSE_REGISTERED_ALREADY")
        self.record(WarehouseRegistered(name=name, country=country))

    def evolve(self, event: WarehouseRegistered) -> None:
        self.name, self.country = event.name, event.country
