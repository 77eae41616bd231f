"""Views answer queries from the rows of a projection."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from treaty.domain import Invalid
from treaty.projections.projection import Projection
from treaty.projections.rows import Facets, Key, Row, Rows, Where
from treaty.projections.similar import Near

R = TypeVar("R")

_PAGE, _LARGEST_PAGE = 50, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The part of a list that a query asks for.

    Attributes:
        size: the number of rows; 0 means 50, more than 200 means 200.
        after: the key at which the page begins, from the page before.
        not_before: a revision (`stream@version`) that the list must show.
    """

    size: int = 0
    after: Key | None = None
    not_before: str = ""


FIRST = Page()
"""The first page, of the usual size."""


class NotShown(Exception):
    """The read model has not come to the revision in time; ask again."""


class View(Generic[R]):
    """Answers queries from the rows of a projection.

    `not_before` is a revision (`stream@version`) from the answer to a command: the query waits until the read model
    shows it.

    Args:
        patience: seconds that a query waits at most.
    """

    def __init__(self, projection: Projection[R], rows: Rows, *, patience: float = 5.0) -> None:
        self._projection, self._rows, self._patience = projection, rows, patience

    async def page(self, where: Where, page: Page = FIRST) -> tuple[list[R], Key | None]:
        """Returns the rows of a page, and the key at which the next page begins, or None at the end.

        Raises:
            NotShown: if the read model is too far behind the page's `not_before`.
        """
        await self._shows(page.not_before)
        limit = min(page.size or _PAGE, _LARGEST_PAGE)
        rows = await self._rows.find(where, page.after, limit + 1)
        shown = [row for row in rows[:limit] if row.values is not None]
        values = [self._projection.codec.decode(row.values) for row in shown]
        if len(rows) <= limit:
            return values, None
        last = shown[-1]
        assert last.values is not None
        return values, (last.values[self._projection.order_by], last.id)

    async def every(self, where: Where) -> Sequence[R]:
        """Returns all rows of a list that is known to be short, page by page."""
        every, after = await self.page(where, Page(size=_LARGEST_PAGE))
        while after is not None:
            rows, after = await self.page(where, Page(size=_LARGEST_PAGE, after=after))
            every += rows
        return every

    async def facets(self, where: Where, *names: str, most: int = 10, among: int = 10_000) -> Facets:
        """Counts how often the values of some fields are in a list; at most the first `among` rows are counted."""
        return await self._rows.facets(where, names, most=most, among=among)

    async def similar(self, field: str, near: Near, *, most: int = 100) -> list[tuple[int, str, R]]:
        """Returns the nearest rows by their parts in this field: (distance in bits, id, row), the nearest first.

        Of those at the greatest distance that still have room, these are the first ones of the list.
        """
        found = []
        for row in await self._nearest(field, near, most):
            assert row.values is not None
            found.append((near.distance_of(row.values[field]), row.id, self._projection.codec.decode(row.values)))
        return sorted(found, key=lambda each: each[:2])[:most]

    async def _nearest(self, field: str, near: Near, most: int) -> Iterable[Row]:
        """Returns at least the nearest rows. If there are too many for one look, it looks at the nearest ones first."""
        rows = await self._rows.find({field: near}, None, most + 1)
        if len(rows) <= most:
            return rows
        nearest: dict[str, Row] = {}
        for distance in range(near.distance + 1):
            rows = await self._rows.find({field: replace(near, distance=distance)}, None, most + 1)
            nearest = {row.id: row for row in rows} | nearest
            if len(nearest) >= most:
                break
        return nearest.values()

    async def row(self, id: str, *, not_before: str = "") -> R | None:
        """Returns one row, if it is there. Raises NotShown."""
        await self._shows(not_before)
        return (await self.rows([id])).get(id)

    async def rows(self, ids: Sequence[str]) -> Mapping[str, R]:
        """Returns those of the rows that are there, by id."""
        found = await self._rows.load(ids)
        return {id: self._projection.codec.decode(row.values) for id, row in found.items() if row.values is not None}

    async def _shows(self, revision: str) -> None:
        if not revision:
            return
        stream, version = _parts(revision)
        if not self._projection.source.owns(stream):
            raise Invalid(f"{revision} says nothing about this list", field="not_before")
        loop, mark, pause = asyncio.get_running_loop(), self._projection.mark_of(stream), 0.002
        # No timeout by cancellation: a driver may take that for a broken connection, and the loop would never end.
        until = loop.time() + self._patience
        while not await self._has(mark, version):
            if loop.time() >= until:
                raise NotShown(f"the list has not come to {revision} yet; ask again")
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.05)

    async def _has(self, mark: str, version: int) -> bool:
        row = (await self._rows.load([mark])).get(mark)
        return row is not None and row.version >= version


def _parts(revision: str) -> tuple[str, int]:
    stream, _, version = revision.rpartition("@")
    if not stream or not version.isdecimal():
        raise Invalid("use a revision as a reply gave it, such as order-6f96…@2", field="not_before")
    return stream, int(version)
