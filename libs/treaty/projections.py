"""Projections: read models as pure functions, `project(id, row, event) → row | None`, built from the own commits."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from treaty.codec import Codec, codec_of
from treaty.commits import Commit, Document
from treaty.probes import Probe
from treaty.stored import Stored

R = TypeVar("R")
Key = tuple[Any, str]
"""The place of a row in an order: the value it is ordered by, and its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection(Generic[R]):
    """A read model with one row for each aggregate of a kind.

    Attributes:
        name: also the name of its collection.
        source: the aggregates whose events it is made of.
        row: the dataclass of a row.
        project: (id, row or None, event) → the row after it, or None for no row. Pure and total.
        order_by: the field that lists are ordered by, the highest first.
        filters: the fields that lists may be filtered by; together with `order_by` they are indexed.
    """

    name: str
    source: Stored[Any]
    row: type[R]
    project: Callable[[str, R | None, Any], R | None]
    order_by: str
    filters: Sequence[str] = ()

    @property
    def codec(self) -> Codec:
        kind: Any = self.row
        return codec_of(kind)


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is kept: `version` is that of the last commit in it, so that applying a commit again does nothing."""

    id: str
    version: int
    values: Document | None


class Rows(Protocol):
    """Keeps the rows of one projection."""

    async def load(self, ids: Sequence[str]) -> Mapping[str, Row]:
        """Returns the rows that exist, by id; one without values was removed."""
        ...

    async def store(self, rows: Sequence[Row], epoch: int) -> None:
        """Stores the rows in one transaction.

        Raises:
            LeaseLost: if a newer epoch has stored rows.
        """
        ...

    async def find(self, where: Mapping[str, Any], after: Key | None, limit: int) -> Sequence[Row]:
        """Returns rows with all the values, the highest first, behind `after`."""
        ...


class View(Generic[R]):
    """What queries see of a projection."""

    def __init__(self, projection: Projection[R], rows: Rows) -> None:
        self._projection, self._rows = projection, rows

    async def page(self, where: Mapping[str, Any], *, after: Key | None, limit: int) -> tuple[list[R], Key | None]:
        """Returns up to `limit` rows, and the place to go on from, or None at the end."""
        rows = await self._rows.find(where, after, limit + 1)
        page = [row for row in rows[:limit] if row.values is not None]
        values = [self._projection.codec.decode(row.values) for row in page]
        if len(rows) <= limit:
            return values, None
        last = page[-1]
        assert last.values is not None
        return values, (last.values[self._projection.order_by], last.id)


class Projector:
    """A follower that keeps one projection up to date. Batches are applied one after another, each in a transaction."""

    def __init__(self, projection: Projection[Any], rows: Rows, probe: Probe) -> None:
        self._projection, self._rows, self._probe = projection, rows, probe
        self._last: Awaitable[None] | None = None

    @property
    def name(self) -> str:
        return f"projection {self._projection.name}"

    def take(self, commits: Sequence[Commit], epoch: int) -> Awaitable[None] | None:
        mine = [c for c in commits if c.events and self._projection.source.owns(c.stream)]
        if not mine:
            return None
        self._last = _after(self._last, self._apply(mine, epoch))
        return self._last

    async def _apply(self, commits: Sequence[Commit], epoch: int) -> None:
        ids = {self._projection.source.id_of(commit.stream) for commit in commits}
        rows = dict(await self._rows.load(list(ids)))
        changed = dict(self._changes(commits, rows))
        if changed:
            await self._rows.store(list(changed.values()), epoch)
        self._probe.count("treaty.projection.commits", len(commits), projection=self._projection.name)

    def _changes(self, commits: Sequence[Commit], rows: dict[str, Row]) -> Iterator[tuple[str, Row]]:
        codec = self._projection.codec
        for commit in commits:
            id = self._projection.source.id_of(commit.stream)
            before = rows.get(id, Row(id, 0, None))
            if commit.version <= before.version:
                continue
            value = None if before.values is None else codec.decode(before.values)
            for event in commit.events:
                value = self._projection.project(id, value, self._projection.source.events.decode(event))
            rows[id] = Row(id, commit.version, None if value is None else codec.encode(value))
            yield id, rows[id]


def _after(last: Awaitable[None] | None, work: Awaitable[None]) -> Awaitable[None]:
    """Returns the work as a task that starts when the last one is over."""

    async def run() -> None:
        if last is not None:
            await last
        await work

    return asyncio.ensure_future(run())
