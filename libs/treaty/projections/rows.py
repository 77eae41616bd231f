"""The port of rows: what a read model is kept in, and how lists of it are searched."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from treaty.commits.commit import Document

Key = tuple[Any, str]
"""The place of a row in an order: the value it is ordered by, and its id."""


@dataclass(frozen=True, slots=True)
class Between:
    """A condition: at least `low` and at most `high`, where they are given."""

    low: Any = None
    high: Any = None


@dataclass(frozen=True, slots=True)
class Among:
    """A condition: the value is one of these."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """A condition on a field of words: each word of the text is the beginning of one of them."""

    text: str

    @property
    def beginnings(self) -> tuple[str, ...]:
        return words_of(self.text)


Where = Mapping[str, Any]
"""The conditions on a list, by field: a value, `Among`, `Between`, `Words` or `Near`. Of a field with several values, a
value is one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """How many rows of a list have which values.

    Attributes:
        total: the number of rows that were counted.
        complete: whether these are all rows of the list; if not, all numbers are of its beginning.
        counts: for each field, its most frequent values and their numbers, the highest first.
    """

    total: int
    complete: bool
    counts: Mapping[str, Sequence[tuple[Any, int]]]


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

    async def begin(self) -> int:
        """Makes a new generation, empty and ready to be written, and returns its number. No number is used twice."""
        ...

    async def serve(self, generation: int) -> None:
        """Lets queries see another generation from now on. Writers of the old one get `Superseded`.

        Raises:
            Superseded: if a later generation was begun; this one is never served.
        """
        ...

    async def retain(self, *generations: int) -> Sequence[int]:
        """Drops all others that are older than the newest of these, and returns their numbers.

        Newer ones are not touched: another rebuild may be writing them.
        """
        ...

    async def load(self, ids: Sequence[str], generation: int | None = None) -> Mapping[str, Row]:
        """Returns the rows that exist, by id, of a generation or the one that is served.

        Raises:
            RowsRefused: if the store does not let this process read them.
        """
        ...

    async def store(
        self, rows: Sequence[Row], epoch: int, generation: int, *, before: Mapping[str, int] | None = None
    ) -> None:
        """Stores rows in one transaction. Building a generation that is not served yet needs no epoch (-1).

        Args:
            before: the versions, by row id, that the new rows were made from; 0 for a row that did not exist. They
                make a late or repeated write of the same rows harmless.

        Raises:
            LeaseLost: if a newer epoch has stored rows.
            Superseded: if another generation is served by now.
            Outdated: if a row no longer has its version in `before`. Then nothing was stored.
            RowRefused: if a row cannot be stored as it is, such as one that is too large. Then nothing was stored.
            RowsRefused: if the store does not let this process write them.
        """
        ...

    async def store_newer(self, rows: Sequence[Row], generation: int) -> None:
        """Stores each row unless a row of that version or a later one is there; durably, but one by one.

        For rows that are functions of one stream, whose version they have: then the order of writes does not matter.

        Raises:
            RowRefused: if a row cannot be stored as it is, such as one that is too large. Others may be stored.
            RowsRefused: if the store does not let this process write them.
        """
        ...

    async def find(self, where: Where, after: Key | None, limit: int) -> Sequence[Row]:
        """Returns rows that meet all the conditions, in their order, behind `after`."""
        ...

    async def count(self, where: Where) -> int:
        """Returns how many rows meet all the conditions."""
        ...

    async def facets(self, where: Where, names: Sequence[str], *, most: int, among: int) -> Facets:
        """Counts the values of some fields among the rows that meet all the conditions.

        Args:
            names: the fields; one with several values counts for each of them, and a row without a value for none.
            most: the number of values for each field.
            among: the number of rows that are counted at most, from the beginning of the list.
        """
        ...

    async def everything(self, generation: int) -> Sequence[Row]:
        """Returns all rows and marks of a generation, as of one moment."""
        ...


class Outdated(Exception):
    """A row was changed since it was loaded: load it again."""


class RowRefused(Exception):
    """A row cannot be stored as it is, however often it is tried."""


class RowsRefused(Exception):
    """The store answers, and refuses these rows: for example, a right to their collection is missing."""


class Superseded(Exception):
    """Another generation of the read model is served by now: go on with that one."""
