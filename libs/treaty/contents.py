"""Contents: large binary objects of a context, beside the log, such as pictures. Commits hold their ids.

A content is stored before the commit that names it, because the two are not one write. What no commit names is removed
later by `sweep`.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from treaty.dependencies import DependencyAway
from treaty.domain import NotFound

Named = Callable[[Sequence[str]], Awaitable[Set[str]]]
"""Returns those of some ids of contents that a commit names."""


class NoContent(NotFound):
    """There is no such content, or not all of it."""

    reason = "NO_CONTENT"


class ContentsAway(DependencyAway):
    """The storage of contents cannot be reached, or refuses us. Nothing was changed; try again."""

    dependency = "contents"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A stored content: its id, which no other attempt to store has, its size in bytes, and its SHA-256 in hex."""

    id: str
    size: int
    sha256: str


class Contents(Protocol):
    """Keeps the contents of one context. Every implementation passes `treaty.testing.suites.contents`."""

    async def put(self, pieces: AsyncIterator[bytes], *, owner: str) -> Content:
        """Stores a content, and returns when all of it is on a majority.

        Args:
            owner: the id of the aggregate that will name it; `owner_of` returns it from the content's id.

        If `pieces` raises, or the call is cancelled, nothing of it remains. After a crash, `sweep` removes the rest.
        """
        ...

    def get(self, id: str) -> AsyncGenerator[bytes, None]:
        """Yields a content in pieces of less than a megabyte.

        Raises:
            NoContent: if there is none, or not all of it.
        """
        ...

    async def delete(self, id: str) -> bool:
        """Removes a content; returns whether there was one."""
        ...

    async def sweep(self, named: Named, *, older_than: timedelta) -> int:
        """Removes contents, and pieces of them, that are older than this and that no commit names.

        Args:
            named: is asked for some contents at a time; it reads what a majority has.
            older_than: more than the longest time between the first piece of a content and the commit that names it.

        Returns:
            The number of contents of which something was removed.
        """
        ...


def owner_of(id: str) -> str:
    """Returns the owner of a content, by the content's id."""
    return id.rpartition(".")[0]


class Measured:
    """Passes pieces on, and measures them: afterwards it has their size and SHA-256."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._hash = hashlib.sha256()
        self.size = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces:
            self._hash.update(piece)
            self.size += len(piece)
            yield piece

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()
