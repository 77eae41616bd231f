"""Contents in memory."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from treaty.clock import Clock
from treaty.contents import Content, Measured, Named, NoContent

_PIECE = 262_144


@dataclass(frozen=True, slots=True)
class _Kept:
    data: bytes
    since: datetime


class MemoryContents:
    """Keeps contents in memory.

    Args:
        clock: gives their age.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._count = 0

    async def put(self, pieces: AsyncIterator[bytes], *, owner: str) -> Content:
        begun, measured = self._clock.now(), Measured(pieces)
        data = b"".join([piece async for piece in measured])
        self._count += 1
        id = f"{owner}.{self._count:024x}"
        self._kept[id] = _Kept(data, begun)
        return Content(id=id, size=measured.size, sha256=measured.sha256)

    async def get(self, id: str) -> AsyncGenerator[bytes, None]:
        kept = self._kept.get(id)
        if kept is None:
            raise NoContent(f"there is no content {id}")
        for first in range(0, len(kept.data), _PIECE):
            yield kept.data[first : first + _PIECE]

    async def delete(self, id: str) -> bool:
        return self._kept.pop(id, None) is not None

    async def sweep(self, named: Named, *, older_than: timedelta) -> int:
        until = self._clock.now() - older_than
        old = [id for id, kept in self._kept.items() if kept.since < until]
        known = await named(old) if old else frozenset[str]()
        return sum([await self.delete(id) for id in old if id not in known])
