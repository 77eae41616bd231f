"""The use cases of categories, with their commands."""

from dataclasses import dataclass

from treaty.commits import Committed, Repository
from treaty.domain import NotFound, Rejected

from services.commerce.catalog.domain.categories import Category


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCategory:
    slug: str
    name: str
    parent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Categories:
    """The use cases of categories. They are never removed, and are parts of the same category for ever."""

    categories: Repository[Category]

    async def create_category(self, command: CreateCategory) -> Committed[Category]:
        """Creates a category, at the top level or as a part of an existing category."""
        if command.parent != command.slug:
            await self.must_be_known(command.parent)
        return await self.categories.add(command.slug, lambda category: category.create(command.name, command.parent))

    async def get_category(self, slug: str) -> Committed[Category]:
        return await self.categories.get(slug)

    async def must_be_known(self, slug: str) -> None:
        """Raises Rejected if there is no category with this slug. An empty slug stands for no category."""
        if not slug:
            return
        try:
            await self.categories.get(slug)
        except NotFound:
            raise Rejected(f"there is no category {slug}", reason="CATEGORY_UNKNOWN") from None
