"""The rows of a projection in memory."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from treaty.followers.leases import LeaseLost
from treaty.projections.projection import Projection
from treaty.projections.rows import Among, Between, Facets, Key, Outdated, Row, Superseded, Where, Words
from treaty.projections.similar import Near


class MemoryRows:
    def __init__(self, projection: Projection[Any]) -> None:
        self._order_by, self._descending = projection.order_by, projection.descending
        self._generations: dict[int, dict[str, Row]] = {0: {}}
        self._served = self._begun = 0
        self._epoch = 0

    async def generation(self) -> int:
        return self._served

    async def begin(self) -> int:
        self._begun += 1
        self._generations[self._begun] = {}
        return self._begun

    async def serve(self, generation: int) -> None:
        if generation != self._begun:
            raise Superseded(f"generation {self._begun} was begun after {generation}")
        self._served = generation

    async def retain(self, *generations: int) -> Sequence[int]:
        older = {generation for generation in self._generations if generation < max(generations)}
        others = sorted(older - set(generations))
        for generation in others:
            del self._generations[generation]
        return others

    async def load(self, ids: Sequence[str], generation: int | None = None) -> Mapping[str, Row]:
        rows = self._generations[self._served if generation is None else generation]
        return {id: rows[id] for id in ids if id in rows}

    async def store(
        self, rows: Sequence[Row], epoch: int, generation: int, *, before: Mapping[str, int] | None = None
    ) -> None:
        if epoch >= 0:
            if generation != self._served:
                raise Superseded(f"generation {self._served} is served by now")
            if epoch < self._epoch:
                raise LeaseLost(f"epoch {epoch} is over; it is {self._epoch} now")
            self._epoch = epoch
        kept = self._generations[generation]
        for id, version in (before or {}).items():
            if (kept[id].version if id in kept else 0) != version:
                raise Outdated(f"{id} is in version {kept[id].version if id in kept else 0}, not {version}")
        kept.update({row.id: row for row in rows})

    async def store_newer(self, rows: Sequence[Row], generation: int) -> None:
        kept = self._generations[generation]
        kept.update({row.id: row for row in rows if row.id not in kept or kept[row.id].version < row.version})

    async def find(self, where: Where, after: Key | None, limit: int) -> Sequence[Row]:
        rows = self._generations[self._served].values()
        found = [row for row in rows if row.values is not None and _meets(row.values, where)]
        found.sort(key=self._key, reverse=self._descending)
        return [row for row in found if after is None or self._is_behind(self._key(row), after)][:limit]

    async def count(self, where: Where) -> int:
        return len(await self.find(where, None, len(self._generations[self._served])))

    async def facets(self, where: Where, names: Sequence[str], *, most: int, among: int) -> Facets:
        found = await self.find(where, None, among + 1)
        counted = [row.values for row in found[:among] if row.values is not None]
        counts = {name: Counter(value for values in counted for value in _values(values.get(name))) for name in names}
        return Facets(
            total=len(counted),
            complete=len(found) <= among,
            counts={
                name: sorted(each.items(), key=lambda item: (-item[1], item[0]))[:most] for name, each in counts.items()
            },
        )

    async def everything(self, generation: int) -> Sequence[Row]:
        return list(self._generations[generation].values())

    def _key(self, row: Row) -> Key:
        assert row.values is not None
        return row.values[self._order_by], row.id

    def _is_behind(self, key: Key, after: Key) -> bool:
        return key < after if self._descending else key > after


def _meets(values: Mapping[str, Any], where: Where) -> bool:
    return all(_is(values.get(name), wanted) for name, wanted in where.items())


def _is(value: Any, wanted: Any) -> bool:
    match wanted:
        case Among():
            return any(_is(value, one) for one in wanted.values)
        case Between():
            return (wanted.low is None or value >= wanted.low) and (wanted.high is None or value <= wanted.high)
        case Words():
            return all(any(word.startswith(start) for word in value) for start in wanted.beginnings)
        case Near():
            return value is not None and wanted.meets(value)
        case _:
            return value == wanted or (isinstance(value, list) and wanted in value)


def _values(value: Any) -> Iterable[Any]:
    """Returns the values of a field: several, one, or none."""
    return value if isinstance(value, list) else [] if value is None else [value]
