"""The category aggregate: categories group products, and may be parts of other categories."""

from dataclasses import dataclass

from treaty.domain import Aggregate, Invalid, Rejected

from services.commerce.catalog.domain.events import CategoryCreated, CategoryEvent


@dataclass(slots=True, kw_only=True)
class Category(Aggregate[CategoryEvent]):
    """One category. Its id is its slug. `parent` is the slug of the category that it is a part of, or empty."""

    name: str = ""
    parent: str = ""

    def create(self, name: str, parent: str) -> None:
        if self.name:
            raise Rejected(f"the category {self.id} exists already", reason="CATEGORY_CREATED_ALREADY")
        if not name.strip():
            raise Invalid("a category needs a name", field="name")
        if parent == self.id:
            raise Invalid(f"{self.id} cannot be a part of itself", field="parent")
        self.record(CategoryCreated(name=name, parent=parent))

    def evolve(self, event: CategoryEvent) -> None:
        self.name, self.parent = event.name, event.parent
