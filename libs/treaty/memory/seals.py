"""Seals in memory."""

from collections.abc import AsyncGenerator, Sequence

from treaty.commits.commit import Commit
from treaty.memory.commits import MemoryCommits
from treaty.seals.seal import BEGINNING, Leaf, Position, Seal, SealTaken, leaf_hash


class MemorySeals:
    """The seals of one context. A commit is hashed in its representation as text."""

    def __init__(self, commits: MemoryCommits) -> None:
        self._commits = commits
        self._seals: dict[int, Seal] = {}

    async def settled(self) -> Position:
        return max((commit.position for commit in self._commits.commits), default=BEGINNING)

    async def last(self) -> Seal | None:
        return self._seals[max(self._seals)] if self._seals else None

    async def add(self, seal: Seal) -> None:
        if seal.number in self._seals:
            raise SealTaken(f"there is a seal {seal.number} of {seal.context}")
        self._seals[seal.number] = seal

    async def all(self) -> AsyncGenerator[Seal, None]:
        for number in sorted(self._seals):
            yield self._seals[number]

    async def leaves(self, after: Position, until: Position | None) -> AsyncGenerator[Leaf, None]:
        for commit in sorted(self._commits.commits, key=lambda commit: (commit.position, commit.id)):
            if commit.position > after and (until is None or commit.position <= until):
                yield Leaf(commit.position, commit.id, _hash(commit))

    async def strangers(self) -> Sequence[str]:
        return []

    async def holds(self, id: str) -> bool:
        return any(commit.id == id for commit in self._commits.commits)


def _hash(commit: Commit) -> bytes:
    return leaf_hash(repr(commit).encode())
