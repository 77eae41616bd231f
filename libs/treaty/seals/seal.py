"""Seals: each one covers the next commits of a log by a Merkle root, and the seal before it by its hash.

Commits are sealed after they were made, by their position, so that writers are independent of each other. The hashes
of leaves and nodes are those of RFC 6962 (Certificate Transparency). A seal is stored beside the commits; its hash is
logged, so that there is a copy that somebody with access to the database alone cannot change.
"""

import hashlib
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

Position = tuple[int, int]

BEGINNING: Position = (0, 0)
"""Before the position of every commit."""

NO_HASH = "0" * 64
"""It stands for the hash of the seal before the first one."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A commit as it is sealed: `hash` is the SHA-256 of a zero byte and the whole commit as it is stored."""

    position: Position
    id: str
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The content of a part of the log, after one position and up to another one.

    Attributes:
        number: 1, 2, 3, …; there is one seal with each.
        ids: the commits, in the order of their positions.
        leaves: their hashes, 32 bytes each.
        root: the Merkle root of the leaves, in hex.
        before: the hash of the seal before, in hex.
        sealed_at: in UTC, to the second.
        signature: of the hash, in base64, or empty.
    """

    context: str
    number: int
    after: Position
    until: Position
    ids: Sequence[str]
    leaves: bytes
    root: str
    before: str
    sealed_at: datetime
    signature: str = ""

    @property
    def hash(self) -> str:
        """The SHA-256 of everything but the signature; the root stands for ids and leaves."""
        covered = {
            "context": self.context,
            "number": self.number,
            "after": list(self.after),
            "until": list(self.until),
            "count": len(self.ids),
            "root": self.root,
            "before": self.before,
            "sealed_at": self.sealed_at.astimezone(UTC).isoformat(timespec="seconds"),
        }
        return hashlib.sha256(json.dumps(covered, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def signed(self, signature: str) -> "Seal":
        return replace(self, signature=signature)


class SealTaken(Exception):
    """There is a seal with this number already: another process has sealed."""


class Seals(Protocol):
    """Keeps the seals of one context, and reads its commits as they are stored.

    Every implementation passes `treaty.testing.suites.seals`. All methods raise StoreAway.
    """

    async def settled(self) -> Position:
        """Returns a position up to which nothing is added any more, unless clocks or members are badly disturbed."""
        ...

    async def last(self) -> Seal | None: ...

    async def add(self, seal: Seal) -> None:
        """Stores a seal durably.

        Raises:
            SealTaken: if there is one with its number.
        """
        ...

    def all(self) -> AsyncGenerator[Seal, None]:
        """Yields the seals in the order of their numbers."""
        ...

    def leaves(self, after: Position, until: Position | None) -> AsyncGenerator[Leaf, None]:
        """Yields the commits of a part of the log in the order of position and id; `until` None means to its end."""
        ...

    async def strangers(self) -> Sequence[str]:
        """Returns the ids of documents among the commits that have no position, and so are in no part of the log."""
        ...

    async def holds(self, id: str) -> bool:
        """Returns whether there is a commit with this id, at any position."""
        ...


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Returns the Merkle root of leaves, as in RFC 6962, section 2.1."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    level = list(hashes)
    while len(level) > 1:
        above = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = [*above, level[-1]] if len(level) % 2 else above
    return level[0]


def leaf_hash(stored: bytes) -> bytes:
    """Returns the hash of a leaf: that of a commit in the bytes in which it is stored."""
    return hashlib.sha256(b"\x00" + stored).digest()
