"""The warehouse aggregate."""

from dataclasses import dataclass

from treaty.domain import Aggregate, Rejected

from services.commerce.inventory.domain.events import WarehouseRegistered


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
