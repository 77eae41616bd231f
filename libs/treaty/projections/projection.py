"""Projections: read models as pure functions, `project(id, row, event) → row | None`, built from the own commits."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from treaty.commits.codec import Codec, codec_of
from treaty.commits.stored import Stored
from treaty.wiring import WiringError

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection(Generic[R]):
    """A read model: one row for each aggregate of a kind, or for each id that `key` returns.

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

    def __post_init__(self) -> None:
        types = {field.name: str(field.type) for field in dataclasses.fields(cast(Any, self.row))}
        for name in (self.order_by, *self.filters):
            if name not in types:
                raise WiringError(
                    f"the projection {self.name} has no field {name} in {self.row.__name__}: "
                    f"it has {', '.join(types)}; correct order_by or filters"
                )
        several = [name for name in self.filters if re.match(r"(typing\.)?(tuple|Sequence|frozenset)\b", types[name])]
        if len(several) > 1:
            raise WiringError(
                f"the projection {self.name} filters by {' and '.join(several)}, which have several values each; "
                "MongoDB can index one such field: keep one of them in filters"
            )

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
