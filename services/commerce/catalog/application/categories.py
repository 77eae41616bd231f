"""The use cases of categories, with their commands and queries."""

from dataclasses import dataclass

from treaty.commits import Committed, Repository
from treaty.domain import NotFound, Rejected
from treaty.projections import FIRST, Among, Key, Page, View

from services.commerce.catalog.domain.categories import Category
from services.commerce.catalog.projections import CategoryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCategory:
    slug: str
    name: str
    parent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCategories:
    """An empty `parent` means all categories."""

    parent: str = ""
    page: Page = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class Categories:
    """The use cases of categories. A category is never removed, and stays a part of the same category."""

    categories: Repository[Category]
    category_rows: View[CategoryRow]

    async def create_category(self, command: CreateCategory) -> Committed[Category]:
        """Creates a category, at the top level or as a part of an existing category."""
        if command.parent != command.slug:
            await self.must_be_known(command.parent)
        return await self.categories.add(command.slug, lambda category: category.create(command.name, command.parent))

    async def get_category(self, slug: str) -> Committed[Category]:
        return await self.categories.get(slug)

    async def list_categories(self, query: ListCategories) -> tuple[list[CategoryRow], Key | None]:
        """Returns a page of categories, sorted by name, and the key of the next page, or None at the end."""
        return await self.category_rows.page({"parent": query.parent} if query.parent else {}, query.page)

    async def with_parts(self, slug: str) -> tuple[str, ...]:
        """Returns the slugs of a category and of all categories below it."""
        found: list[str] = []
        level = [slug]
        while level:
            found += level
            level = [row.slug for row in await self.category_rows.every({"parent": Among(tuple(level))})]
        return tuple(found)

    async def must_be_known(self, slug: str) -> None:
        """Raises Rejected if there is no category with this slug. An empty slug stands for no category."""
        if not slug:
            return
        try:
            await self.categories.get(slug)
        except NotFound:
            raise Rejected(f"there is no category {slug}", reason="CATEGORY_UNKNOWN") from None
