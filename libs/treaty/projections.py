"""Projections: read models as pure functions, `project(id, row, event) → row | None`, built from the own commits."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from treaty.codec import Codec, codec_of
from treaty.commits import Document
from treaty.domain import Invalid
from treaty.stored import Stored

R = TypeVar("R")
Key = tuple[Any, str]
"""The place of a row in an order: the value it is ordered by, and its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection(Generic[R]):
    """A read model: one row for each aggregate of a kind, or for whatever `key` says.

    Attributes:
        name: also the name of its collection.
        source: the aggregates whose events it is made of.
        row: the dataclass of a row.
        project: (row id, row or None, event) → the row after it, or None for no row. Pure and total.
        order_by: the field that lists are ordered by.
        filters: the fields that lists may be filtered by; together with `order_by` they are indexed.
        descending: whether the highest comes first.
        key: (aggregate id, event) → the row that the event is for, or None; by default the aggregate's own. Rows that
            several streams meet in must not depend on the order of those streams.
    """

    name: str
    source: Stored[Any]
    row: type[R]
    project: Callable[[str, R | None, Any], R | None]
    order_by: str
    filters: Sequence[str] = ()
    descending: bool = True
    key: Callable[[str, Any], str | None] | None = None

    @property
    def codec(self) -> Codec:
        kind: Any = self.row
        return codec_of(kind)

    def mark_of(self, stream: str) -> str:
        """Returns the id of the row that tells how far a stream is shown: its own, or one without values."""
        id = self.source.id_of(stream)
        return id if self.key is None else f"@{id}"

    def row_of(self, id: str, event: Any) -> str | None:
        """Returns the id of the row that an event of an aggregate is for."""
        return id if self.key is None else self.key(id, event)


@dataclass(frozen=True, slots=True)
class Between:
    """A condition: at least `low` and at most `high`, where they are given."""

    low: Any = None
    high: Any = None


@dataclass(frozen=True, slots=True)
class Words:
    """A condition on a field of words: each word of the text is the beginning of one of them."""

    text: str

    @property
    def beginnings(self) -> tuple[str, ...]:
        return words_of(self.text)


_PAGE, _LARGEST_PAGE = 50, 200

Where = Mapping[str, Any]
"""What a list is filtered by: the value of a field, or `Between`, or `Words`."""


def words_of(*texts: str) -> tuple[str, ...]:
    """Returns the words of some texts for a field that `Words` searches: in lower case, each once."""
    return tuple(sorted({word for text in texts for word in re.findall(r"\w+", text.lower())}))


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is kept.

    `version` is that of the last commit of its stream that it shows, so that applying a commit again does nothing. A
    row without values was removed, or only marks how far a stream is shown.
    """

    id: str
    version: int
    values: Document | None


class Rows(Protocol):
    """Keeps the rows of one projection, one generation of which is read while the next may be in the making."""

    async def generation(self) -> int:
        """Returns the generation that queries see."""
        ...

    async def serve(self, generation: int) -> None:
        """Lets queries see another generation from now on; whoever still writes the old one is told `Superseded`."""
        ...

    async def clear(self, generation: int) -> None:
        """Makes a generation that is not served empty, and ready to be written."""
        ...

    async def drop(self, generation: int) -> None:
        """Forgets a generation that nobody serves or writes any more."""
        ...

    async def load(self, ids: Sequence[str], generation: int | None = None) -> Mapping[str, Row]:
        """Returns the rows that exist, by id, of a generation or the one that is served."""
        ...

    async def store(self, rows: Sequence[Row], epoch: int, generation: int) -> None:
        """Stores rows in one transaction. Building a generation that is not served yet needs no epoch (-1).

        Raises:
            LeaseLost: if a newer epoch has stored rows.
            Superseded: if another generation is served by now.
        """
        ...

    async def find(self, where: Where, after: Key | None, limit: int) -> Sequence[Row]:
        """Returns rows that meet all the conditions, in their order, behind `after`."""
        ...

    async def count(self, where: Where) -> int:
        """Returns how many rows meet all the conditions."""
        ...

    async def everything(self, generation: int) -> Sequence[Row]:
        """Returns all rows and marks of a generation, as of one moment."""
        ...


class Superseded(Exception):
    """Another generation of the read model is served by now: go on with that one."""


class NotShown(Exception):
    """The read model has not come to the revision in time; ask again."""


class View(Generic[R]):
    """What queries see of a projection.

    `not_before` is a revision (`stream@version`) from the answer to a command: the query waits until the read model
    shows it.

    Args:
        patience: seconds that a query waits at most.
    """

    def __init__(self, projection: Projection[R], rows: Rows, *, patience: float = 5.0) -> None:
        self._projection, self._rows, self._patience = projection, rows, patience

    async def page(
        self, where: Where, *, after: Key | None, limit: int, not_before: str = ""
    ) -> tuple[list[R], Key | None]:
        """Returns up to `limit` rows, and the place to go on from, or None at the end.

        A `limit` of 0 means 50; more than 200 means 200.

        Raises:
            NotShown: if the read model is too far behind `not_before`.
        """
        await self._shows(not_before)
        limit = min(limit or _PAGE, _LARGEST_PAGE)
        rows = await self._rows.find(where, after, limit + 1)
        page = [row for row in rows[:limit] if row.values is not None]
        values = [self._projection.codec.decode(row.values) for row in page]
        if len(rows) <= limit:
            return values, None
        last = page[-1]
        assert last.values is not None
        return values, (last.values[self._projection.order_by], last.id)

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
        mark, pause = self._projection.mark_of(stream), 0.002
        try:
            async with asyncio.timeout(self._patience):
                while not await self._has(mark, version):
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, 0.05)
        except TimeoutError:
            raise NotShown(f"the list has not come to {revision} yet; ask again") from None

    async def _has(self, mark: str, version: int) -> bool:
        row = (await self._rows.load([mark])).get(mark)
        return row is not None and row.version >= version


def _parts(revision: str) -> tuple[str, int]:
    stream, _, version = revision.rpartition("@")
    if not stream or not version.isdecimal():
        raise Invalid("use a revision as a reply gave it, such as order-6f96…@2", field="not_before")
    return stream, int(version)
