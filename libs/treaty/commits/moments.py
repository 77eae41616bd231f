"""Finding a version of a stream by its position in the log: a binary search, because positions grow with versions."""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Protocol

from treaty.commits.commit import Commit, commit_id
from treaty.commits.log import CommitLog, Unreadable


class Read(Protocol):
    """Reads a part of a stream, as `CommitLog.read` does."""

    def __call__(
        self, stream: str, *, first: int = 1, last: int | None = None, states: bool = True, most: int = 0
    ) -> Awaitable[Sequence[Commit]]: ...


async def first_from(read: Read, stream: str, position: tuple[int, int], end: int) -> int:
    """Returns the first version before `end` that is at a position or behind it, or `end`. Reads few commits.

    Raises:
        Unreadable: if it comes to a commit that cannot be read, or is missing.
    """
    low, high = 1, end
    while low < high:
        middle = (low + high) // 2
        found = await read(stream, first=middle, last=middle, states=False)
        if not found:
            raise Unreadable(commit_id(stream, middle), "it is missing")
        if found[0].position < position:
            low = middle + 1
        else:
            high = middle
    return low


async def version_at(log: CommitLog, stream: str, moment: datetime) -> int:
    """Returns the version that a stream had at a moment of the server's clock (in whole seconds); 0 before its first.

    Raises:
        Unreadable: if it comes to a commit that cannot be read, or is missing.
    """
    head = await log.head(stream)
    behind = (int(moment.timestamp() // 1) + 1, 0)
    if head is None or head.position < behind:
        return head.version if head else 0
    return await first_from(log.read, stream, behind, head.version) - 1
